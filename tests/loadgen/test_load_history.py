"""The history: what an answer means, what is written, and how much memory that takes."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_loadgen.exchange import Exchange
from racelab_loadgen.history import History, judge
from racelab_loadgen.latency import Latencies
from racelab_loadgen.plan import Operation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"outcome": "applied", "entry": "e"}', "ok"),
        (204, b"", "ok"),
        (200, b"<html>", "ok"),
        (200, b'{"outcome": "refused"}', "info"),
        (302, b"", "info"),
        (400, b'{"outcome": "invalid"}', "fail"),
        (404, b"", "fail"),
        (408, b"", "info"),
        (409, b'{"outcome": "conflict"}', "fail"),
        (410, b'{"outcome": "closed"}', "fail"),
        (422, b'{"outcome": "refused"}', "fail"),
        (500, b"", "info"),
        (502, b'{"outcome": "applied"}', "info"),
    ],
)
def test_an_answer_is_ok_fail_or_info(status: int, body: bytes, kind: str) -> None:
    assert judge(status, body).type == kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (302, b"", "ok"),
        (302, b'{"outcome": "refused"}', "ok"),
        (200, b"the form again", "fail"),
        (303, b"", "fail"),
        (403, b"", "fail"),
        (408, b"", "info"),
        (503, b"", "info"),
    ],
)
def test_with_accepted_statuses_these_are_ok_and_all_others_that_are_sure_are_fail(
    status: int, body: bytes, kind: str
) -> None:
    assert judge(status, body, frozenset({302})).type == kind


@given(st.integers(200, 599), st.binary(max_size=60))
def test_no_answer_breaks_the_judgement(status: int, body: bytes) -> None:
    assert judge(status, b"{" + body).type in {"ok", "fail", "info"}


def test_a_body_nested_too_deeply_is_only_a_body() -> None:
    assert judge(200, b'{"a":' * 10_000).type == "ok"


async def pieces(history: History) -> list[bytes]:
    return [piece async for piece in history.chunks()]


def written(history: History) -> str:
    return b"".join(asyncio.run(pieces(history))).decode()


texts = st.text(max_size=20)


@given(st.lists(st.tuples(st.integers(0, 10**9), texts, texts, texts, st.booleans()), max_size=30))
def test_what_is_recorded_is_read_back(operations: list[tuple[int, str, str, str, bool]]) -> None:
    history = History(amount_cents=250)
    try:
        history.epoch_ns = 1_790_000_000_000_000_000
        for number, outcome, entry, replica, answered in operations:
            if answered:
                exchange = Exchange(None, b"")
                exchange.status, exchange.replica = 422, replica
                exchange.answer = json.dumps({"outcome": outcome, "entry": entry}).encode()
                exchange.begin_ns, exchange.end_ns = 5000, 9999
                history.answered(exchange, Operation(number, 7))
            else:
                history.unanswered(Operation(number, 7), "info", 5000, 9999, outcome)
        history.finish(started_ns=1000, start_skew_microseconds=3, connections=2)
        *lines, end = [json.loads(line) for line in written(history).splitlines()]
    finally:
        history.close()
    assert end == {
        "end": len(operations),
        "started_at_microseconds": 1_790_000_000_000_001,
        "start_skew_microseconds": 3,
        "connections": 2,
    }
    for line, (number, outcome, entry, replica, answered) in zip(lines, operations, strict=True):
        assert line == {
            "operation": str(number),
            "type": "fail" if answered else "info",
            "account": 7,
            "amount_cents": 250,
            "status": 422 if answered else None,
            "outcome": outcome if answered else None,
            "entry": entry if answered else None,
            "replica": replica if answered else None,
            "begin_microseconds": 1_790_000_000_000_005,
            "end_microseconds": 1_790_000_000_000_009,
            "error": None if answered else outcome,
        }


def test_a_temporary_history_has_no_name_that_could_be_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    history = History(amount_cents=1)
    try:
        history.finish(started_ns=0, start_skew_microseconds=0, connections=1)
        assert history.size_bytes == len(written(history)) > 0
        assert list(tmp_path.iterdir()) == []
    finally:
        history.close()


def test_a_history_is_uploaded_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "history.ndjson"
    history = History(1, path)
    try:
        for number in range(2000):
            history.unanswered(Operation(number, 1), "info", 0, 0, "lost")
        history.finish(started_ns=0, start_skew_microseconds=0, connections=1)
        uploaded = asyncio.run(pieces(history))
        assert len(uploaded) > 1
        assert b"".join(uploaded) == path.read_bytes()
    finally:
        history.close()


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=200), st.sampled_from([1, 50, 99, 100]))
def test_a_percentile_is_exact_to_one_percent(latencies: list[int], percent: int) -> None:
    counted = Latencies()
    for latency in latencies:
        counted.add(latency)
    exact = sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]
    told = counted.percentile_milliseconds(percent)
    assert told is not None
    assert told * 1000 == pytest.approx(exact, rel=0.01, abs=1)


def test_no_latencies_have_no_percentile() -> None:
    assert Latencies().percentile_milliseconds(50) is None
