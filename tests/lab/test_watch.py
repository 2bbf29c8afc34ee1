"""`racelab watch` against a real lab on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from brain.samples import experiment
from cluster.commands import environment
from lab.programs import kill
from lab.terminals import on_terminal, picture, restored, settings
from racelab_operator.auditor import Auditor
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.steps import run_labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cluster.commands import Terminal
    from racelab_operator.observed import Run

WAIT_SECONDS = 40
RACY = experiment(strategies=["atomic_only"], replicas=[2], load={"requests": 10})


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalLab]:
    """A real lab, for all tests that leave it as it was."""
    with LocalLab(tmp_path_factory.mktemp("watched") / "home", purpose="a test") as lab:
        lab.start(2)
        yield lab


@pytest.fixture
def auditor(up: LocalLab) -> Iterator[Auditor]:
    with Auditor(up.addresses.auditor_url, up.addresses.token) as client:
        yield client


def deposit(lab: LocalLab, account: int, operation: str, *, window: int = 0) -> int:
    """Deposit 1.00 by reading, adding and writing."""
    form = {"account": account, "amount": 100, "operation": operation, "window_milliseconds": window}
    answer = httpx.post(f"{lab.addresses.http_url}/bank/deposit/atomic_only/", data=form, trust_env=False, timeout=30)
    return answer.status_code


def race(lab: LocalLab, auditor: Auditor, key: str, account: int) -> None:
    """Deposit twice at a time until something is lost: two requests may meet at one replica, which has one worker."""
    for turn in range(20):
        with ThreadPoolExecutor(2) as pool:
            answers = pool.map(lambda who: deposit(lab, account, f"{key}-{turn}-{who}", window=200), range(2))  # noqa: B023
            assert list(answers) == [200, 200]
        found = auditor.audit(key)
        assert found is not None
        if found.drift_cents:
            return
    raise AssertionError("nothing was lost in 20 races")


def opened(auditor: Auditor, name: str) -> Run:
    """Open the run of an experiment's first step."""
    [step] = RACY.steps
    return auditor.open_run(step, f"{name}-abcde-0", run_labels(RACY, step) | {"experiment": name})


def finished(auditor: Auditor, key: str) -> None:
    """Close a run, whose load is said to be lost."""
    auditor.report_lost(key, 0, "a test")
    auditor.close_run(key)


def racelab(lab: LocalLab, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "racelab_operator", *arguments, "--home", str(lab.home)]
    return subprocess.run(argv, capture_output=True, text=True, env=environment(), timeout=60, check=False)


class Pipe:
    """`racelab watch` whose output a program reads, line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._rest = {process.stdout: b"", process.stderr: b""}

    def line(self, words: str, *, of_errors: bool = False) -> str:
        """Wait for a line with these words."""
        stream = self.process.stderr if of_errors else self.process.stdout
        assert stream is not None
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            *lines, self._rest[stream] = self._rest[stream].split(b"\n")
            for index, line in enumerate(lines):
                if words in line.decode():
                    self._rest[stream] = b"\n".join([*lines[index + 1 :], self._rest[stream]])
                    return line.decode()
            ready = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, f"waited for {words!r}"
            data = os.read(stream.fileno(), 65536)
            assert data, f"ended before {words!r}"
            self._rest[stream] += data

    def value(self, words: str) -> Any:
        """Wait for a line of JSON with these words."""
        return json.loads(self.line(words))


@contextlib.contextmanager
def piped(lab: LocalLab, *arguments: str) -> Iterator[Pipe]:
    argv = [sys.executable, "-m", "racelab_operator", "watch", *arguments, "--home", str(lab.home)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        try:
            yield Pipe(process)
        finally:
            process.kill()


def page(screen: Terminal, words: str) -> str:
    """Give what was drawn when these words were last shown, and before them; the rest may be on its way."""
    pages = ["\n".join(picture(b"\x1b[H" + drawn)) for drawn in screen.raw.split(b"\x1b[H")[1:]]
    return next(drawn for drawn in reversed(pages) if words in drawn)


AGREE = ("entries", "drift_cents", "absolute_drift_cents", "ledger_total_cents", "balance_cents", "lost", "final")


def test_what_is_watched_agrees_with_racelab_drift(up: LocalLab, auditor: Auditor) -> None:
    race(up, auditor, "playground", 1)
    done = racelab(up, "watch", "--run", "playground", "--once", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [watched] = map(json.loads, done.stdout.splitlines())
    drift = json.loads(racelab(up, "drift", "--json").stdout)
    assert {name: watched[name] for name in AGREE} == {name: drift[name] for name in AGREE}
    assert watched["drift_cents"] < 0 < watched["stale_installs"]
    assert (watched["state"], watched["outcome"], watched["verdict"]) == ("open", None, None)


def test_once_prints_a_table_without_a_trace_of_a_terminal(up: LocalLab, auditor: Auditor) -> None:
    run = opened(auditor, "printed")
    assert deposit(up, run.accounts[0], "one") == 200
    done = racelab(up, "watch", "--once", "--experiment", "printed")
    finished(auditor, run.key)
    assert done.returncode == 0, done
    title, heading, row = done.stdout.splitlines()
    assert title == f"lab in {up.home} · printed"
    assert heading.split() == ["step", "entries", "drift", "lost", "stale", "drift", "over", "time"]
    assert row.split() == ["▶", "2-replicas-atomic_only-read-committed-0ms", "1", "0.00", "0", "0", "▁", "open"]


def test_a_run_that_begins_later_is_followed_to_its_end(up: LocalLab, auditor: Auditor) -> None:
    with piped(up, "--json") as watch:
        assert watch.value('"playground"')["state"] == "open"
        run = opened(auditor, "later")
        race(up, auditor, run.key, run.accounts[0])
        seen = watch.value('"drift_cents": -')
        assert (seen["run"], seen["experiment"], seen["state"]) == (run.key, "later", "open")
        finished(auditor, run.key)
        last = watch.value('"final": true')
        audit = auditor.audit(run.key)
        assert audit is not None
        assert (last["run"], last["outcome"], last["entries"]) == (run.key, "Anomalous", audit.entries)
        assert (last["lost"], last["stale_installs"]) == (audit.lost, audit.culprits)


def test_watching_one_run_ends_when_it_has_ended(up: LocalLab, auditor: Auditor) -> None:
    run = opened(auditor, "single")
    with piped(up, "--run", run.key) as watch:
        watch.line(f"{run.key}: 0 entries · drift 0.00 · 0 lost · 0 stale installs · open")
        assert deposit(up, run.accounts[0], "one") == 200
        watch.line(f"{run.key}: 1 entries · drift 0.00 · 0 lost · 0 stale installs · open")
        finished(auditor, run.key)
        assert watch.process.wait(WAIT_SECONDS) == 0
        watch.line("· Unknown")


def test_what_ended_before_is_asked_for_only_where_it_is_the_newest_experiment(up: LocalLab, auditor: Auditor) -> None:
    for name in ("earlier", "newest"):
        finished(auditor, opened(auditor, name).key)
    told = [json.loads(line)["run"] for line in racelab(up, "watch", "--once", "--json").stdout.splitlines()]
    assert told == ["playground", "newest-abcde-0"]


def test_on_a_terminal_the_figures_move_and_ctrl_c_leaves_it_as_it_was(up: LocalLab, auditor: Auditor) -> None:
    run = opened(auditor, "moving")
    with on_terminal("watch", "--home", str(up.home), "--experiment", "moving", columns=80) as screen:
        before = settings(screen)
        screen.shows("0 entries · drift 0.00")
        race(up, auditor, run.key, run.accounts[0])
        audit = auditor.audit(run.key)
        assert audit is not None
        told = f"{run.key}: {audit.entries} entries"
        screen.shows(told)
        drawn = page(screen, told)
        screen.type("\x03")
        assert screen.exit_code() == 0
        assert settings(screen) == before
    finished(auditor, run.key)
    assert "▶ 2× atomic_only" in drawn
    assert "█" in drawn
    assert max(map(len, drawn.splitlines())) <= 80
    assert restored(screen.raw)
    left = picture(screen.raw.rpartition(b"\x1b[?1049l")[2])
    assert left[0] == f"lab in {up.home} · moving"[:80]
    assert f" {audit.entries} " in left[2]
    assert "KeyboardInterrupt" not in screen.shown


def test_an_auditor_that_is_away_is_told_in_place_and_found_again_where_it_is_then(
    up: LocalLab, auditor: Auditor
) -> None:
    run = opened(auditor, "away")
    with (
        on_terminal("watch", "--home", str(up.home), "--experiment", "away") as screen,
        piped(up, "--run", run.key) as watch,
    ):
        screen.shows("0 entries")
        watch.line("0 entries")
        kill(up.home, "auditor")
        watch.line("does not answer", of_errors=True)
        screen.shows("asking on: the auditor at ")
        assert "▶ 2× atomic_only" in page(screen, "asking on: "), "what was seen last stays"
        up._start_auditor(up._environments.bank(up.addresses.database_url, up._record.socket_directory))
        up._publish()
        watch.line("it answers again", of_errors=True)
        assert deposit(up, run.accounts[0], "one") == 200
        watch.line("1 entries")
        screen.shows("1 entries")
        assert "asking on" not in page(screen, "1 entries")
    with Auditor(up.addresses.auditor_url, up.addresses.token) as again:
        finished(again, run.key)


def test_a_lab_that_ends_ends_those_who_watch_it_with_what_they_saw_last(tmp_path: Path) -> None:
    with LocalLab(tmp_path / "home", purpose="a test") as lab:
        lab.start(1)
        home = str(lab.home)
        with on_terminal("watch", "--home", home) as screen, piped(lab) as watch:
            screen.shows("playground")
            watch.line("playground")
            lab.close()
            watch.line(f"the lab in {home} has ended", of_errors=True)
            assert watch.process.wait(WAIT_SECONDS) == 3
            assert screen.exit_code() == 3
    assert restored(screen.raw)
    left = "\n".join(picture(screen.raw.rpartition(b"\x1b[?1049l")[2]))
    assert "playground" in left
    assert f"racelab: the lab in {home} has ended" in left


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--run", "playgruond"), 2, "--run: there is no run playgruond: did you mean playground?"),
        (("--experiment", "nowhere"), 2, "--experiment: there is no run of an experiment nowhere: there are "),
        (("--run", "a", "--experiment", "b"), 2, "--run, --experiment: given both, allowed one of them"),
        (("--namespace", "lab"), 2, "--namespace: given with --platform local"),
    ],
)
def test_what_cannot_be_watched_is_told_in_one_line(
    up: LocalLab, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = racelab(up, "watch", *arguments)
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, "")
    assert line.startswith(f"racelab: {message}")


def test_without_a_lab_the_command_that_starts_one_is_named(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "racelab_operator", "watch", "--home", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    advice = "start one with `racelab up`, or `racelab run`"
    assert done.stderr == f"racelab: no lab is running in {tmp_path}: {advice}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_a_watch_on_a_pipe_without_a_word(up: LocalLab, number: signal.Signals) -> None:
    with piped(up) as watch:
        watch.line("playground")
        watch.process.send_signal(number)
        assert watch.process.wait(WAIT_SECONDS) == 0
        assert watch.process.stderr is not None
        assert watch.process.stderr.read() == b""
