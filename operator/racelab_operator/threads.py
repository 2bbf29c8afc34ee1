"""The smallest race: threads that increment one variable of one process, in three ways.

The same lost update as in a bank, without a database: whoever computes from what it has read before somebody else wrote
takes that write back.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


@dataclass(slots=True)
class Counter:
    """The one variable."""

    value: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of one way: the counter's last value, what it should be, and how long it took."""

    way: str
    result: int
    expected: int
    seconds: float
    why: str

    @property
    def lost(self) -> int:
        """How many increments were taken back."""
        return self.expected - self.result


def add_one(value: int) -> int:
    """Return one more. It is the call that matters: CPython may change threads when it begins."""
    return value + 1


def bare(counter: Counter, times: int) -> None:
    """Increment with `+=` alone."""
    for _ in range(times):
        counter.value += 1


def read_call_write(
    counter: Counter,
    times: int,
    add: Callable[[int], int] = add_one,
    lock: AbstractContextManager[object] | None = None,
) -> None:
    """Increment in three steps: read, call a function, write what it returned; all three under the lock, if any."""
    held = nullcontext() if lock is None else lock
    for _ in range(times):
        with held:
            seen = counter.value
            counter.value = add(seen)


def has_gil() -> bool:
    """Whether one lock keeps this interpreter's threads from running at the same time."""
    return getattr(sys, "_is_gil_enabled", lambda: True)()


_WHY_BARE: Final = {
    True: "CPython changes threads only where a call begins and where a loop goes round, since 3.10: between the read "
    "and the write of a bare += is neither, so the interpreter's own lock covers it by accident; nothing promises that",
    False: "this interpreter runs threads at the same time: two of them read the same value, and the later write takes "
    "the earlier one back",
}
_WHY_CALL: Final = (
    "a thread is put aside where the call begins, after its read; the others go on counting, and when its turn comes "
    "it writes one more than what it had read"
)
_WHY_LOCK: Final = "nobody reads while another one is between its read and its write; the price is the lock, each time"


def count(threads: int, increments: int) -> list[Counted]:
    """Let `threads` threads make `increments` increments each, in each of the three ways; return what came of it."""
    lock = threading.Lock()
    ways: list[tuple[str, Callable[[Counter], None], str]] = [
        ("bare +=", lambda counter: bare(counter, increments), _WHY_BARE[has_gil()]),
        ("read, call, write", lambda counter: read_call_write(counter, increments), _WHY_CALL),
        ("with a lock", lambda counter: read_call_write(counter, increments, lock=lock), _WHY_LOCK),
    ]
    return [_count(way, work, threads, threads * increments, why) for way, work, why in ways]


def _count(way: str, work: Callable[[Counter], None], threads: int, expected: int, why: str) -> Counted:
    counter = Counter()
    start = threading.Barrier(threads + 1)

    def run() -> None:
        start.wait()
        work(counter)

    workers = [threading.Thread(target=run, name=f"{way} {number}", daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    begin = time.perf_counter()
    for worker in workers:
        worker.join()
    return Counted(way, counter.value, expected, time.perf_counter() - begin, why)
