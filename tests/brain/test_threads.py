"""The race between threads of one process."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from racelab_operator.cli import main
from racelab_operator.threads import Counter, count, has_gil, read_call_write

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def race(lock: AbstractContextManager[object] | None) -> int:
    """Two threads add one each; whoever has read first calls only when the other one has written, if that can be."""
    counter = Counter()
    has_read, has_written = threading.Event(), threading.Event()

    def slow(value: int) -> int:
        has_read.set()
        has_written.wait(None if isinstance(lock, nullcontext) else 0.2)
        return value + 1

    first = threading.Thread(target=read_call_write, args=(counter, 1, slow, lock))
    first.start()
    has_read.wait()
    second = threading.Thread(target=read_call_write, args=(counter, 1), kwargs={"lock": lock})
    second.start()
    if isinstance(lock, nullcontext):
        second.join()
        has_written.set()
    first.join()
    second.join()
    return counter.value


def test_a_thread_that_has_read_before_another_wrote_takes_its_write_back() -> None:
    assert race(nullcontext()) == 1


def test_under_a_lock_nobody_reads_in_between() -> None:
    assert race(threading.Lock()) == 2


def test_a_lock_keeps_every_increment_and_no_way_invents_one() -> None:
    bare, called, locked = count(4, 5_000)
    assert locked.result == locked.expected == 20_000
    assert 0 < called.result <= 20_000
    assert bare.lost >= 0
    if has_gil():
        assert bare.lost == 0


def test_the_command_tells_result_expected_lost_seconds_ratio_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["threads", "--threads", "2", "--increments", "1000"]) == 0
    out = capsys.readouterr().out
    for word in ("result", "expected", "lost", "seconds", "ratio", "2,000", "with a lock", "bare +=: "):
        assert word in out


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["threads", "--threads", "2", "--increments", "1000", "--json"]) == 0
    ways = json.loads(capsys.readouterr().out)
    assert [way["way"] for way in ways] == ["bare +=", "read, call, write", "with a lock"]
    assert all(way["lost"] == way["expected"] - way["result"] for way in ways)


@pytest.mark.parametrize("flags", [["--threads", "0"], ["--threads", "65"], ["--increments", "0"]])
def test_too_few_or_too_many_are_refused_with_the_range(capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    assert main(["threads", *flags]) == 2
    assert "is not in the range" in capsys.readouterr().err
