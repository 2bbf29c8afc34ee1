"""A real browser at a real lab: what it shows is what the audit says, and it does nothing that it must not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lab.programs import wait_until
from page.browsing import NARROW, WIDE, Reader, chromium_at
from racelab_operator.money import cents_as_text
from whole.racelab import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from racelab_operator.platforms.local.addresses import Addresses

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FORM = "account={account}&amount={amount}&operation={operation}&window_milliseconds=20"


class Lab:
    """A lab that is up, and loads on its bank."""

    def __init__(self, home: Home, addresses: Addresses) -> None:
        self.home = home
        self.addresses = addresses
        self.token = addresses.token
        self.url = addresses.auditor_url
        self._loads: list[subprocess.Popen[bytes]] = []

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """Ask the control API."""
        bearer = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.request(method, f"{self.url}/api/{path}", headers=bearer, trust_env=False, timeout=30, **more)
        assert answer.is_success, answer.text
        return answer.json()

    def opens(self, key: str, strategy: str = "read_modify_write") -> None:
        """Open a run as an experiment's step does."""
        labels = {"experiment": "browser", "step": f"3-replicas-{strategy}-read-committed-20ms", "replicas": "3",
                  "window_milliseconds": "20"}  # fmt: skip
        body = {"scenario": "deposit", "strategy": strategy, "isolation": "read-committed", "accounts": 2,
                "opening_cents": 100_000, "minimum_cents": 0, "generators": 1, "labels": labels}  # fmt: skip
        self.ask("PUT", f"runs/{key}", json=body)

    def loads(self, key: str, requests: int, strategy: str = "read_modify_write") -> subprocess.Popen[bytes]:
        """Start a load on the run, as an experiment's step does."""
        one = self.addresses
        load = subprocess.Popen(
            [sys.executable, "-m", "racelab_loadgen", "run", "--url", f"{one.https_url}/bank/deposit/{strategy}/",
             "--form", FORM, "--requests", str(requests), "--concurrency", "6", "--amount-cents", "100",
             "--ca-file", str(one.ca_file), "--auditor", self.url, "--run", key],
            env={**os.environ, "RACELAB_TOKEN": self.token},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._loads.append(load)
        return load

    def ends(self) -> None:
        """End loads that a test has left."""
        for load in self._loads:
            if load.poll() is None:
                load.terminate()
            load.wait(30)


@pytest.fixture(scope="module")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = Home(tmp_path_factory.mktemp("page-lab"))
    process = home.start("up", "--replicas", "3")
    addresses = home.lab(process).addresses
    assert addresses is not None
    up = Lab(home, addresses)
    yield up
    up.ends()
    home.end()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_at(chromium) as one:
        yield one


@pytest.fixture
def reader(browser: Browser, lab: Lab) -> Iterator[Callable[..., Reader]]:
    """Open browsers; afterwards none may have done anything that it must not."""
    readers: list[Reader] = []

    def open_one(**more: Any) -> Reader:
        readers.append(Reader(browser, lab.url, **more))
        return readers[-1]

    yield open_one
    faults = [fault for one in readers for fault in one.faults]
    for one in readers:
        one.leaves()
    assert not faults


def cents(text: str) -> int:
    """Read an amount as the page shows it."""
    return int(text.replace("−", "-").replace(",", "").replace(".", ""))


def test_a_running_experiment_is_seen_to_drift_and_its_end_is_told_without_a_reload(
    lab: Lab, reader: Callable[..., Reader]
) -> None:
    lab.opens("browser-1")
    one = reader()
    page = one.goes_to("/runs/browser-1")
    page.evaluate("window.neverReloaded = true")
    load = lab.loads("browser-1", 900)
    drifts: set[str] = set()
    for _ in range(3):
        page.wait_for_function(
            "known => !known.includes(document.getElementById('drift').innerText) "
            "&& document.getElementById('drift').innerText !== '0.00'",
            arg=sorted(drifts),
        )
        drifts.add(one.text("#drift"))
    assert len(drifts) == 3
    assert all(cents(text) < 0 for text in drifts)
    page.wait_for_function("() => document.querySelectorAll('#anomalies tbody tr').length > 5")
    one.shoots("run-running-light")
    points = "document.getElementById('chart-drift').data[0].x.length"
    seen = page.evaluate(points)
    page.wait_for_function(f"() => {points} > {seen}")
    assert load.wait(120) == 0
    at_rest = lab.ask("GET", "runs/browser-1/audit")
    for name, shown in (
        ("drift", at_rest["drift_cents"]),
        ("absolute-drift", at_rest["absolute_drift_cents"]),
        ("balance", at_rest["balance_cents"]),
        ("ledger-total", at_rest["ledger_total_cents"]),
    ):
        one.is_told(f"#{name}", cents_as_text(shown))
    one.is_told("#entries", "900")
    one.is_told("#lost", str(at_rest["lost"]))
    code, out, _ = lab.home.run("drift", "--run", "browser-1", "--json")
    told = json.loads(out)
    assert (cents(one.text("#drift")), int(one.text("#lost"))) == (told["drift_cents"], told["lost"]), code
    served = page.evaluate("[...document.querySelectorAll('#served tbody tr')].map(row => row.innerText.split('\\t'))")
    assert sum(int(row[1]) for row in served) == 900
    assert {row[0] for row in served} == set(lab.addresses.replicas)
    lab.ask("POST", "runs/browser-1/close")
    one.is_told("#state", "ended: Anomalous")
    one.is_told("#link", "ended")
    page.wait_for_selector("#anomalies .found tbody tr")
    assert page.evaluate("window.neverReloaded")
    final = lab.ask("GET", "runs/browser-1/audit")
    assert final["final"]
    assert cents(one.text("#drift")) == final["drift_cents"]
    assert page.evaluate(points) == len(final["timeline"])
    one.shoots("run-ended-light")


def test_an_anomaly_opens_its_interleaving_as_a_drawing(lab: Lab, reader: Callable[..., Reader]) -> None:
    one = reader(scheme="dark")
    page = one.goes_to("/runs/browser-1")
    page.wait_for_selector("#anomalies .found .opens")
    page.focus("#anomalies .found .opens >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("#interleaving svg")
    assert page.evaluate("document.activeElement.id") == "interleaving"
    box = page.locator("#interleaving svg").first.bounding_box()
    assert box is not None
    assert box["width"] > 700
    assert box["height"] > 200
    ground = "getComputedStyle(document.querySelector('#interleaving .rl-ground')).fill"
    assert page.evaluate(ground) == "rgb(13, 17, 23)"
    assert "LOST" in page.locator("#interleaving pre").first.text_content()  # type: ignore[operator]
    one.shoots("run-ended-interleaving-dark")
    for theme, colour in (("dark", "rgb(13, 17, 23)"), ("light", "rgb(255, 255, 255)")):
        page.click("#theme")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate(ground) == colour
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_race_two_ends_with_the_lost_update_drawn_by_the_keyboard_alone(
    lab: Lab, reader: Callable[..., Reader]
) -> None:
    one = reader()
    page = one.signs_in(lab.token)
    page.focus("#race-strategy")
    page.keyboard.type("read_modify")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "race-start"
    page.keyboard.press("Enter")
    rows = "[...document.querySelectorAll('.lanes tbody tr')].map(row => row.innerText.trim().replace(/\\s+/g, ' '))"
    steps = ["reads 100.00 100.00", "100.00 reads 100.00", "writes 110.00 110.00", "150.00 writes 150.00"]
    for number in range(1, 5):
        page.wait_for_function(f"() => document.querySelectorAll('.lanes tbody tr').length === {number + 1}")
        assert page.evaluate(rows) == ["100.00", *steps[:number]]
        if number == 2:
            one.shoots("race-two-half-way-light")
        if number < 4:
            page.focus("#race-step") if number == 1 else None
            assert page.evaluate("document.activeElement.id") == "race-step", "the focus stays where it was"
            page.keyboard.press("Enter")
    page.wait_for_selector(".story.bad")
    assert "T1 (+10.00) was lost: operation T2 on page had read the balance before it" in one.text(".story .verdict")
    assert one.text("#race-said").startswith("operation T1 (+10.00) was lost")
    box = page.locator(".race-drawing svg").bounding_box()
    assert box is not None
    assert box["width"] > 700
    assert page.locator(".race-drawing svg text", has_text="LOST").count() >= 1
    one.shoots("race-two-light")
    key = one.text("#race-run").split()[-1]
    audit = lab.ask("GET", f"runs/{key}/audit")
    assert (audit["final"], audit["lost"], audit["drift_cents"]) == (True, 1, -1_000)


@pytest.mark.parametrize("strategy", ["row_lock", "version_check"])
def test_race_two_plays_by_itself_and_a_right_strategy_loses_nothing(
    lab: Lab, reader: Callable[..., Reader], strategy: str
) -> None:
    one = reader(scheme="dark")
    page = one.signs_in(lab.token)
    page.select_option("#race-strategy", strategy)
    page.click("#race-start")
    page.wait_for_selector(".story.good")
    assert one.text(".story .verdict") == "Nothing was lost: both deposits are in the balance."
    one.shoots(f"race-two-{strategy}-dark")


def test_a_race_that_plays_can_be_paused_and_goes_on(lab: Lab, reader: Callable[..., Reader]) -> None:
    one = reader()
    page = one.signs_in(lab.token)
    page.click("#race-start")
    page.click("#race-play")
    page.wait_for_selector("#race-play:has-text('Play')")
    rows = page.locator(".lanes tbody tr").count()
    page.click("#race-step")
    page.wait_for_function(f"() => document.querySelectorAll('.lanes tbody tr').length === {rows + 1}")
    page.click("#race-play")
    page.wait_for_selector(".story")


def test_a_deposit_is_seen_in_the_playground_at_once(lab: Lab, reader: Callable[..., Reader]) -> None:
    one = reader()
    page = one.signs_in(lab.token)
    before = cents(one.text("[data-event=playground] dd >> nth=0"))
    page.fill("input[name=amount]", "12.50")
    page.click("#deposit-button")
    page.wait_for_selector("#deposited .right")
    one.is_told("[data-event=playground] dd", cents_as_text(before + 1_250))
    page.fill("input[name=amount]", "nothing")
    page.click("#deposit-button")
    page.wait_for_selector("#deposited .wrong")
    # The browser itself tells its console of an answer 422, which is what the form was to be given.
    one.faults[:] = [fault for fault in one.faults if "422" not in fault]


def test_a_wrong_token_is_told_and_the_right_one_signs_in(lab: Lab, reader: Callable[..., Reader]) -> None:
    one = reader()
    page = one.goes_to("/")
    assert page.locator("#race-start").count() == 0
    page.click("text=Sign in >> nth=0")
    page.fill("input[name=token]", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#token-wrong")
    one.faults[:] = [fault for fault in one.faults if "403" not in fault]
    page.fill("input[name=token]", lab.token)
    page.keyboard.press("Enter")
    page.wait_for_selector("#race-start")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_everybody_can_read_it_at_any_width_in_light_and_dark(
    lab: Lab, reader: Callable[..., Reader], size: tuple[int, int], scheme: str
) -> None:
    if not any(run["key"] == "browser-axe" for run in lab.ask("GET", "runs")):
        lab.opens("browser-axe")
        load = lab.loads("browser-axe", 120)
        assert load.wait(60) == 0
    one = reader(size=size, scheme=scheme)
    page = one.signs_in(lab.token)
    page.check("#race-stepwise")
    page.click("#race-start")
    page.wait_for_selector("#race-step")
    name = f"{scheme}-{size[0]}"
    assert (one.complaints(), one.overflow_pixels()) == ([], 0)
    one.shoots(f"overview-racing-{name}")
    for rows in (3, 4, 5):
        page.click("#race-step")
        page.wait_for_function(f"() => document.querySelectorAll('.lanes tbody tr').length === {rows}")
    page.wait_for_selector(".story")
    assert (one.complaints(), one.overflow_pixels()) == ([], 0)
    one.shoots(f"overview-raced-{name}")
    one.goes_to("/runs/browser-axe")
    page.wait_for_selector("#chart-drift .main-svg")
    assert (one.complaints(), one.overflow_pixels()) == ([], 0)
    one.shoots(f"run-open-{name}")
    page.locator("#anomalies .opens").first.click()
    page.wait_for_selector("#interleaving svg")
    assert (one.complaints(), one.overflow_pixels()) == ([], 0)
    one.shoots(f"run-interleaving-{name}")
    for path in ("/runs/none", "/sign-in"):
        page.goto(f"{one.url}{path}")
        assert (one.complaints(), one.overflow_pixels()) == ([], 0)
    one.shoots(f"sign-in-{name}")
    one.faults[:] = [fault for fault in one.faults if "404" not in fault]


def test_a_tab_that_is_closed_gives_its_place_back(lab: Lab, reader: Callable[..., Reader]) -> None:
    def streams() -> int:
        text = httpx.get(f"{lab.url}/metrics", trust_env=False).text
        found = [line for line in text.splitlines() if line.startswith("racelab_event_streams ")]
        return int(float(found[0].split()[1]))

    wait_until(lambda: streams() == 0, 30)
    one, other = reader(), reader()
    one.goes_to("/")
    other.goes_to("/runs/playground")
    wait_until(lambda: streams() == 2, 30)
    one.page.goto("about:blank")
    other.leaves()
    wait_until(lambda: streams() == 0, 30)
