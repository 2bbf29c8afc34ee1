"""The gate, the auditor's other calls, and the clock offset; the auditor is a small real HTTP server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.caddy import free_port
from loadgen.fake_auditor import TOKEN, FakeAuditor
from loadgen.scripted_server import Script
from racelab_loadgen.gate import Sample, best_offset_microseconds

if TYPE_CHECKING:
    from pathlib import Path

    from loadgen.conftest import Edge, Load, Serve


COMMAND = (sys.executable, "-m", "racelab_loadgen", "run")
microseconds = st.integers(0, 10**6)


@given(st.integers(-(10**9), 10**9), microseconds, microseconds, microseconds)
def test_the_offset_is_wrong_by_half_the_round_trip_at_most(offset: int, there: int, inside: int, back: int) -> None:
    asked = 1_790_000_000_000_000
    sample = Sample(asked, asked + there + offset, asked + there + inside + offset, asked + there + inside + back)
    assert sample.round_trip_microseconds == there + back
    assert abs(sample.offset_microseconds - offset) <= (there + back) / 2 + 1


@given(st.lists(st.tuples(microseconds, microseconds), min_size=1, max_size=9))
def test_the_sample_with_the_smallest_round_trip_is_believed(trips: list[tuple[int, int]]) -> None:
    samples = [Sample(0, there + 500, there + 500, there + back) for there, back in trips]
    fastest = min(there + back for there, back in trips)
    assert abs(best_offset_microseconds(samples) - 500) <= fastest / 2 + 1


@pytest.mark.parametrize("arrival", ["closed", "single-packet"])
@pytest.mark.parametrize("ahead_seconds", [0, 7, -7])
def test_a_generator_starts_when_the_gate_says_on_the_auditors_clock(
    serve: Serve, load: Load, arrival: str, ahead_seconds: int
) -> None:
    server = serve(Script())
    with FakeAuditor(clock_ahead_microseconds=ahead_seconds * 1_000_000) as auditor:
        outcome = load(
            *(server.url, "--requests", 20, "--concurrency", 4, "--arrival", arrival),
            *("--auditor", auditor.url, "--run", "run-1"),
        )
        assert outcome.code == 0
        assert auditor.start_at is not None
        end = outcome.history[-1]
        assert abs(end["started_at_microseconds"] - auditor.start_at) < 50_000
        assert 0 <= end["start_skew_microseconds"] < 50_000
        assert outcome.summary["start_skew_microseconds"] == end["start_skew_microseconds"]
        assert all(line["begin_microseconds"] >= auditor.start_at for line in outcome.history[:-1])


def test_accounts_come_from_the_run_and_the_history_goes_there(edge: Edge, load: Load) -> None:
    with FakeAuditor(accounts=[41, 42], broken_uploads=2) as auditor:
        outcome = load(edge.url(), "--requests", 30, "--concurrency", 4, "--auditor", auditor.url, "--run", "run-1")
        uploaded = [json.loads(line) for line in auditor.histories["0"].splitlines()]
        assert auditor.tokens == {f"Bearer {TOKEN}"}
    assert outcome.code == 0
    assert uploaded == outcome.history
    assert {line["account"] for line in uploaded[:-1]} == {41, 42}
    assert uploaded[-1]["end"] == 30


def test_two_generators_wait_for_each_other_and_share_the_plan(edge: Edge, tmp_path: Path) -> None:
    with FakeAuditor(generators=2) as auditor:
        command = [
            sys.executable,
            "-m",
            "racelab_loadgen",
            "run",
            "--url",
            edge.url(),
            "--ca-file",
            str(edge.authority),
        ]
        command += ["--requests", "41", "--concurrency", "5", "--auditor", auditor.url, "--run", "run-1"]
        environment = os.environ | {"RACELAB_TOKEN": TOKEN}
        generators = [
            subprocess.Popen([*command, "--generators", "2", "--generator", str(index)], env=environment)
            for index in range(2)
        ]
        assert [generator.wait(30) for generator in generators] == [0, 0]
        keys = [
            {json.loads(line)["operation"] for line in auditor.histories[index].splitlines()[:-1]}
            for index in ("0", "1")
        ]
    assert not keys[0] & keys[1]
    assert keys[0] | keys[1] == {str(number) for number in range(41)}


def test_a_gate_that_failed_is_exit_code_3_and_nothing_is_sent(serve: Serve, load: Load) -> None:
    server = serve(Script())
    with FakeAuditor(gate_state="failed") as auditor:
        outcome = load(server.url, "--requests", 5, "--auditor", auditor.url, "--run", "run-1")
    assert outcome.code == 3
    assert "the gate failed: generator 1 did not register in 60 s" in outcome.err
    assert not server.bodies


def test_a_generator_that_comes_too_late_is_told_so(edge: Edge, load: Load) -> None:
    with FakeAuditor(gate_status=409) as auditor:
        outcome = load(edge.url(), "--requests", 5, "--auditor", auditor.url, "--run", "run-1")
    assert outcome.code == 3
    assert "the gate refused generator 0" in outcome.err


def test_a_refused_upload_is_exit_code_3_with_the_auditors_reason(edge: Edge, load: Load) -> None:
    with FakeAuditor(upload_status=400) as auditor:
        outcome = load(edge.url(), "--requests", 5, "--auditor", auditor.url, "--run", "run-1")
    assert outcome.code == 3
    assert "line 3 is wrong" in outcome.err


def test_an_unknown_run_is_exit_code_3(edge: Edge, load: Load) -> None:
    with FakeAuditor() as auditor:
        outcome = load(edge.url(), "--requests", 5, "--auditor", auditor.url, "--run", "run-2")
    assert outcome.code == 3
    assert "no such run" in outcome.err


def test_an_auditor_that_is_not_there_is_exit_code_3(edge: Edge, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("racelab_loadgen.auditor.PAUSE_SECONDS", 0.001)
    outcome = load(edge.url(), "--requests", 5, "--auditor", f"http://127.0.0.1:{free_port()}", "--run", "run-1")
    assert outcome.code == 3
    assert "cannot be reached" in outcome.err


@pytest.mark.parametrize(("patience_seconds", "code"), [(60.0, 0), (0.0, 3)])
def test_an_auditor_that_starts_again_is_waited_for_and_not_for_ever(
    edge: Edge, load: Load, monkeypatch: pytest.MonkeyPatch, patience_seconds: float, code: int
) -> None:
    monkeypatch.setattr("racelab_loadgen.auditor.PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("racelab_loadgen.auditor.PATIENCE_SECONDS", patience_seconds)
    with FakeAuditor(broken_uploads=8) as auditor:
        outcome = load(edge.url(), "--requests", 5, "--auditor", auditor.url, "--run", "run-1")
    assert outcome.code == code
    assert bool(auditor.histories) == (code == 0)


def test_a_run_that_is_stopped_at_the_gate_sends_nothing_and_says_so(edge: Edge, tmp_path: Path) -> None:
    with FakeAuditor(generators=2) as auditor:
        command = [
            sys.executable,
            "-m",
            "racelab_loadgen",
            "run",
            "--url",
            edge.url(),
            "--ca-file",
            str(edge.authority),
        ]
        command += ["--requests", "4", "--auditor", auditor.url, "--run", "run-1"]
        generator = subprocess.Popen(command, env=os.environ | {"RACELAB_TOKEN": TOKEN})
        deadline = time.monotonic() + 20
        while not auditor.registered:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        generator.terminate()
        assert generator.wait(10) == 0
        assert [json.loads(line)["end"] for line in auditor.histories["0"].splitlines()] == [0]
