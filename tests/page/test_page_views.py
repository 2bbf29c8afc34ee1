"""The page's answers: for everybody to read, for who has the token to press, and never with anything of a caller's."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import get_resolver

from bank.interleaving import ScriptedClient
from page.reading import open_run, text
from racelab_bank.auditor import auditing, runs
from racelab_bank.models import Account, Run
from racelab_bank.page import one_run, streams, views
from racelab_bank.page import runs as page_runs
from racelab_bank.page.middleware import POLICY
from racelab_bank.page.money import cents, money
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies
from racelab_operator.money import cents_as_text

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

HOSTILE = '"><script>alert(1)</script>&\u202e'


def race(run: Run, first: str = "T1", second: str = "T2") -> None:
    posting = scenarios()["deposit"].post(Account.objects.get(run=run).pk, 10)
    clients = [
        ScriptedClient(name, strategies()[run.strategy], posting, "read-committed").start() for name in (first, second)
    ]
    for client in clients:
        client.finish()


def addresses() -> list[str]:
    """Every address of the page, with a run that is there."""
    patterns = [pattern for one in get_resolver().url_patterns if not getattr(one, "app_name", None) for pattern in
                getattr(one, "url_patterns", [one])]  # fmt: skip
    return sorted({re.sub(r"<str:\w+>", "one", str(pattern.pattern)) for pattern in patterns})


@pytest.mark.usefixtures("no_stream_is_left")
def test_everything_that_is_answered_has_the_strict_policy(reader: Client) -> None:
    open_run()
    asked = ["/", *(f"/{address}" for address in addresses() if address), "/nothing", "/runs/none", "/api/runs"]
    assert {"/events", "/runs/one/events", "/runs/one", "/sign-in", "/races", "/metrics"} <= set(asked)
    for path in asked:
        for answer in (reader.get(path), reader.post(path)):
            assert answer["Content-Security-Policy"] == POLICY, path
            assert answer["X-Content-Type-Options"] == "nosniff", path
            answer.close()
    assert "unsafe" not in POLICY


def test_the_overview_shows_experiments_with_their_steps_newest_first(reader: Client) -> None:
    labels = {"experiment": "quickstart", "replicas": "3", "window_milliseconds": "5"}
    first = open_run("first", {**labels, "step": "step-one"})
    open_run("second", {**labels, "step": "step-two"})
    race(first)
    auditing.audit_run(first)
    shown = text(reader.get("/"))
    assert shown.index("step-two") < shown.index("step-one")
    assert "step-one deposit · atomic_only read-committed · window 5 ms 3 2 1 −0.10 running claimed racy" in shown
    runs.close_run(first)
    shown = text(reader.get("/"))
    assert "3 2 1 −0.10 Anomalous claimed racy" in shown


def test_a_run_shows_the_figures_that_the_audit_has(reader: Client) -> None:
    run = open_run(labels={"experiment": "quickstart", "step": "step-one"})
    race(run)
    shown = text(reader.get("/runs/one"))
    audit = auditing.audit_run(run)
    for words in (
        f"Balance {money(audit['balance_cents'])}",
        f"Ledger total {money(audit['ledger_total_cents'])}",
        f"Drift {money(audit['drift_cents'])}",
        "|Drift| 0.10",
        "Entries 2",
        "Lost updates 1",
        "Stale installs 1",
    ):
        assert words in shown
    assert "The last 1 of 1" in shown
    assert "bank-test 2" in shown or "page 2" in shown


def test_the_curves_of_an_ended_run_are_its_timeline(reader: Client) -> None:
    run = open_run()
    race(run)
    runs.close_run(run)
    answer = reader.get("/runs/one")
    found = re.search(r'id="curves">(.*?)</script>', answer.content.decode())
    assert found is not None
    curves = json.loads(found[1])
    timeline = auditing.audit_run(Run.objects.get(key="one"))["timeline"]
    assert curves["absolute_drift_cents"] == [point["absolute_drift_cents"] for point in timeline]
    assert curves["absolute_drift_cents"][-1] == 10
    assert "data-events" not in answer.content.decode()
    assert "lost update operation T1 (+0.10) was lost" in text(reader.get("/runs/one/anomalies"))


def test_an_interleaving_is_drawn_in_the_page_without_a_style_of_its_own_and_told_as_text(reader: Client) -> None:
    race(open_run())
    for path in ("/runs/one/interleaving?operation=T1", "/runs/one/interleaving"):
        page = reader.get(path).content.decode()
        assert page.count("<svg") == 2, "the brand's, and the drawing"
        assert "<style" not in page
        assert " style=" not in page
        assert 'class="rl-' in page
        assert "writes 1.10 over 1.00" in page.split("<pre", 1)[1]
    part = reader.get("/runs/one/interleaving?operation=T1", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "<svg" in part


def test_nothing_of_a_callers_is_markup_anywhere(reader: Client) -> None:
    labels = {"experiment": HOSTILE, "step": HOSTILE, "replicas": HOSTILE, "window_milliseconds": HOSTILE}
    run = open_run(labels=labels)
    race(run, f"1{HOSTILE[:-1]}", f"2{HOSTILE[:-1]}")
    seen = [reader.get(path).content.decode() for path in ("/", "/runs/one", "/runs/one/interleaving")]
    seen += one_run.look("one").events.values()
    seen += streams.parts(page_runs.overview()).values()
    runs.close_run(run)
    seen += [reader.get(path).content.decode() for path in ("/", "/runs/one", "/runs/one/anomalies")]
    for path in (f"/runs/{HOSTILE}", f"/{HOSTILE}", f"/runs/one/interleaving?operation={HOSTILE}"):
        answer = reader.get(path)
        assert answer.status_code == 404
        seen.append(answer.content.decode())
    for page in seen:
        assert "<script>" not in page
        assert "\u202e" not in page
    assert sum("&lt;script&gt;alert(1)" in page for page in seen) >= 10


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/runs/none", 404, "There is no run none in this database. The overview lists the newest 100 runs"),
        ("/runs/none/anomalies", 404, "There is no run none"),
        ("/runs/none/interleaving", 404, "There is no run none"),
        ("/runs/none/events", 404, "There is no run none"),
        ("/none", 404, "There is no /none at this auditor"),
        ("/runs/one/interleaving?operation=none", 404, "run one has no operation none"),
        ("/runs/one/anomalies?offset=-1", 404, "There is no /runs/one/anomalies"),
    ],
)
def test_what_is_not_there_is_told_as_a_page_with_a_way_back(
    reader: Client, path: str, status: int, words: str
) -> None:
    open_run()
    answer = reader.get(path)
    assert answer.status_code == status
    assert words in text(answer)
    assert 'href="/"' in answer.content.decode()


def test_a_database_that_is_away_is_told_as_a_page_that_says_when_to_come_again(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("connection refused\n\tat 5432")

    monkeypatch.setattr(page_runs, "overview", away)
    answer = reader.get("/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "3")
    assert "The database does not answer connection refused at 5432 The auditor goes on trying" in text(answer)
    part = reader.get("/", headers={"HX-Request": "true"})
    assert (part.status_code, "<html" in part.content.decode()) == (503, False)


def read(answer: Any, until: Callable[[bytes], bool]) -> bytes:
    sent = b""
    for part in answer.streaming_content:
        sent += part
        if until(sent):
            break
    return sent


def test_a_stream_tells_what_the_page_shows(reader: Client, no_stream_is_left: Callable[[], int]) -> None:
    race(open_run())
    answer = reader.get("/runs/one/events")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("text/event-stream; charset=utf-8", "no-store")
    assert no_stream_is_left() == 1
    sent = read(answer, lambda sent: b"event: summary" in sent).decode()
    assert '<dd id="drift">−0.10</dd>' in sent
    assert "event: series" in sent
    answer.close()


def test_a_run_that_ends_says_so_and_its_stream_is_over(reader: Client) -> None:
    run = open_run()
    race(run)
    runs.close_run(run)
    answer: Any = reader.get("/runs/one/events")
    sent = b"".join(answer.streaming_content).decode()
    assert sent.endswith("event: ended\ndata: \n\n")
    assert "ended: Anomalous" in sent
    answer.close()


def test_when_all_places_are_taken_the_next_one_is_told_when_to_come_again(
    reader: Client, no_stream_is_left: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams.HUB, "_limit", 1)
    first = reader.get("/events")
    second = reader.get("/events")
    assert (second.status_code, second["Retry-After"]) == (503, "5")
    assert second.content == b"1 pages are open already: this one looks again every few seconds instead of listening\n"
    first.close()
    third = reader.get("/events")
    assert third.status_code == 200
    third.close()


@pytest.mark.parametrize("amount", [0, 1, -1, 99, 100, -123_450, 123_456_789])
def test_money_is_shown_as_racelab_drift_shows_it(amount: int) -> None:
    assert money(amount) == cents_as_text(amount)
    if amount > 0:
        assert cents(money(amount)) == amount


def test_few_look_through_whole_runs_at_a_time(reader: Client) -> None:
    run = open_run()
    taken = [views._LOOKING.acquire(blocking=False) for _ in range(views._LOOKERS)]
    try:
        answer = reader.get(f"/runs/{run.key}/anomalies")
        assert (answer.status_code, "3 others are looking" in text(answer)) == (503, True)
    finally:
        for _ in taken:
            views._LOOKING.release()
    assert reader.get(f"/runs/{run.key}/anomalies").status_code == 200
