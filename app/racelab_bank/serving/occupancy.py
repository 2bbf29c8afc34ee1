"""How many workers of a replica are between read and write, counted over all of its processes."""

import mmap
from typing import Final
from zlib import crc32

#: More than a replica has workers, those included that end while their successors begin.
SLOTS: Final = 1024

_BYTES: Final = 4


class SharedOccupancy:
    """One slot per sync worker, in memory that the arbiter maps before it forks them; a slot holds what is done there.

    A worker has one request at a time, so the number of slots that hold an operation is the number of requests. Two
    workers that enter in the same instant may each count the other or not: the count may miss one that is just coming.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SLOTS * _BYTES)
        self._slots = memoryview(self._memory).cast("I")
        self._own = 0

    def take_slot(self, worker_age: int) -> None:
        """Say which worker this process is: gunicorn counts them from 1 and never uses a number twice."""
        self._own = worker_age % SLOTS

    def enter(self, scenario: str, strategy: str) -> int:
        """Note that this worker enters its window; return how many are in theirs with the same operation."""
        kind = _kind(scenario, strategy)
        self._slots[self._own] = kind
        return self._slots.tolist().count(kind)

    def leave(self, scenario: str, strategy: str) -> None:  # noqa: ARG002 - of the same shape as the local one's
        """Note that this worker has left it."""
        self._slots[self._own] = 0

    def clear_slot(self, worker_age: int) -> None:
        """Note that a worker is gone: it may have been ended within its window."""
        self._slots[worker_age % SLOTS] = 0


def _kind(scenario: str, strategy: str) -> int:
    """Return a number other than 0 for an operation."""
    return crc32(f"{scenario}/{strategy}".encode()) or 1
