"""What a page does when what it listens to is gone: it says so, and goes on by itself when that is back."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from page.browsing import Reader, chromium_at
from page.conftest import TOKEN
from page.served import Auditor, opened
from racelab_bank.page.hub import STREAMS
from racelab_operator.platforms.local.postgresql import PostgreSQL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

AWAY = "The auditor does not answer, trying again."


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with chromium_at(chromium) as one:
        yield one


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgreSQL]:
    with tempfile.TemporaryDirectory(prefix="rl-page-") as sockets:
        one = PostgreSQL(tmp_path / "data", Path(sockets))
        one.start()
        yield one
        one.stop()


@pytest.fixture
def auditor(server: PostgreSQL) -> Iterator[Auditor]:
    one = Auditor(server.url)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def reader(browser: Browser, auditor: Auditor) -> Iterator[Reader]:
    """Somebody whose auditor is taken away: the browser's own words about that are no fault of the page's."""
    one = Reader(browser, auditor.url)
    one.expects_loss = True
    yield one
    faults = one.faults
    one.leaves()
    assert not faults


@pytest.mark.parametrize("path", ["/", "/runs/watched"])
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_an_auditor_that_is_lost_is_told_and_the_page_goes_on_when_it_is_back(
    auditor: Auditor, reader: Reader, path: str, by: signal.Signals
) -> None:
    opened(auditor, "watched")
    page = reader.goes_to(path)
    reader.is_told("#link", "live")
    page.evaluate("window.neverReloaded = true")
    boot = "document.querySelector('meta[name=racelab-boot]').content"
    before = page.evaluate(boot)
    auditor.end(by)
    reader.is_told("#banner", AWAY)
    reader.is_told("#link", "not live")
    if path == "/":
        reader.shoots("auditor-lost-light")
    auditor.start()
    reader.is_told("#link", "live")
    assert page.is_hidden("#banner")
    assert page.evaluate(boot) != before
    assert page.evaluate("window.neverReloaded")
    auditor.ask("POST", "runs/watched/close")
    if path == "/":
        page.wait_for_selector("tr:has(#run-watched) .pill.unknown")
    else:
        reader.is_told("#state", "ended: Unknown")


def test_a_database_that_is_away_is_told_by_the_open_page_and_by_a_fresh_one(
    auditor: Auditor, reader: Reader, server: PostgreSQL
) -> None:
    page = reader.goes_to("/")
    reader.is_told("#link", "live")
    server.stop()
    page.wait_for_function(
        "() => document.getElementById('banner').innerText.startsWith('the database does not answer')"
    )
    page.reload()
    reader.is_told("h1", "The database does not answer")
    reader.shoots("database-away-light")
    server.start()
    page.wait_for_selector("#playground-drift")
    reader.is_told("#link", "live")


def test_a_page_for_which_there_is_no_place_says_so_and_looks_again_by_itself(auditor: Auditor, reader: Reader) -> None:
    streams = [auditor.stream("/events") for _ in range(STREAMS)]
    page = reader.page
    page.goto(f"{auditor.url}/")
    page.wait_for_function("() => document.getElementById('banner').innerText.startsWith('64 pages are open already')")
    opened(auditor, "meanwhile")
    page.wait_for_selector("#run-meanwhile")
    for connection, stream in streams:
        stream.close()
        connection.close()
    reader.is_told("#link", "live")
    assert page.is_hidden("#banner")


def test_a_race_that_was_under_way_is_forgotten_and_another_one_can_be_started(
    auditor: Auditor, reader: Reader
) -> None:
    page = reader.signs_in(TOKEN)
    page.check("#race-stepwise")
    page.click("#race-start")
    page.wait_for_selector("#race-step")
    auditor.end(signal.SIGKILL)
    reader.is_told("#banner", AWAY)
    auditor.start()
    reader.is_told("#link", "live")
    page.click("#race-start")
    page.wait_for_selector(".story")
