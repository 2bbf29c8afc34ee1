"""Stale reads: an operation saw a version that had been replaced before it was even asked for.

Rule: the version that an operation read is older than one that was acknowledged, to the same generator, before that
generator sent the request. What was replaced while the request was on its way is nobody's fault. Times of different
generators are not compared: their clocks may differ.

Source: strict serializability as the histories show it, Herlihy and Wing, Linearizability, 1990; the real-time edges of
Kingsbury and Alvaro, Elle, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.acknowledged import Told
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.versions import OPENING
from racelab_bank.audit.words import milliseconds, operation, who

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class StaleRead(Anomaly):
    """`reader` was sent `late_microseconds` after `newer` had been acknowledged, and has not seen it."""

    kind: ClassVar[str] = "stale_read"
    reader: Entry
    newer: Entry
    late_microseconds: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The reader, and the write that it should have seen."""
        return (self.reader, self.newer)

    @property
    def sentence(self) -> str:
        """Who should have seen whom."""
        return (
            f"{who(self.reader)} was sent {milliseconds(self.late_microseconds)} "
            f"after {operation(self.newer)} had been acknowledged, and read account {self.account} without it"
        )


@detector(StaleRead, "stale read")
def stale_reads(history: History) -> Lazy[StaleRead]:
    """Find the reads of versions that a later one had replaced before the request was sent."""
    posting, account, version = _observed(history)
    if not len(posting) or not len(history.tables.operations):
        return Lazy(np.zeros(0, np.intp), _nothing)
    told = Told.of(history)
    newest = told.newest_before(posting, account)
    found = np.flatnonzero((newest != NONE) & (newest > version))
    entries, postings, versions = history.tables.entries, history.postings, history.versions

    def make(number: int) -> StaleRead:
        reader = entries[int(postings.first[posting[number]])]
        newer = versions.entry_at(int(newest[number]))
        assert newer is not None  # noqa: S101 - only what has an entry is acknowledged
        acknowledged = told.end_of[postings.of_entry[versions.entry[newest[number]]]]
        late = int(told.begin_of[posting[number]] - acknowledged)
        return StaleRead(int(history.tables.accounts.id.values[account[number]]), reader, newer, late)

    return Lazy(found, make)


def _nothing(number: int) -> StaleRead:
    raise IndexError(number)


def _observed(history: History) -> tuple[NDArray[np.int32], NDArray[np.intp], NDArray[np.int32]]:
    """Return who has read which version of which account: from what it computed, and what it looked at beside."""
    versions, reads, dependencies = history.versions, history.dependencies.reads, history.dependencies
    stale = np.flatnonzero(versions.stale & (versions.parents >= OPENING))
    looked = np.flatnonzero(reads.version >= OPENING)
    posting = np.concatenate([dependencies.writer[stale], reads.posting[looked]])
    account = np.concatenate([versions.account[stale], reads.account[looked]])
    return posting, account, np.concatenate([versions.parents[stale], reads.version[looked]])
