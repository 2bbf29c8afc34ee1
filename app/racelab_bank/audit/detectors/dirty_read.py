"""Dirty reads: an operation saw a version that was never committed, or not before it wrote itself.

Rule: a head that was read is neither the account's opening nor that of an install; of an account that the reader wrote
itself, of no install before its own. Judged in the final audit only: while load runs, the install may not be there yet.

Source: P1 in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995; G1a, aborted reads, in Adya, Weak
Consistency, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.versions import UNKNOWN
from racelab_bank.audit.words import who

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class DirtyRead(Anomaly):
    """`reader` has seen a version, called `head`, of an account that never had it by then."""

    kind: ClassVar[str] = "dirty_read"
    reader: Entry
    head: str

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The reader."""
        return (self.reader,)

    @property
    def sentence(self) -> str:
        """Who saw what."""
        return (
            f"{who(self.reader)} has read version {self.head} of account "
            f"{self.account}, which was never committed before it wrote"
        )


@detector(DirtyRead, "dirty read", final_only=True)
def dirty_reads(history: History) -> Lazy[DirtyRead]:
    """Find reads of versions that were not there: of other accounts, then of those that were written."""
    versions, reads, entries = history.versions, history.dependencies.reads, history.tables.entries
    looked = np.flatnonzero(reads.version == UNKNOWN)
    computed_from = np.flatnonzero(versions.stale & (versions.parents == UNKNOWN))

    def make(number: int) -> DirtyRead:
        if number < len(looked):
            read = history.tables.reads[int(reads.row[looked[number]])]
            reader = entries[int(history.postings.first[reads.posting[looked[number]]])]
            return DirtyRead(read.account, reader, history.name(read.seen_head))
        writer = entries[int(versions.entry[computed_from[number - len(looked)]])]
        return DirtyRead(writer.account, writer, history.name(writer.previous))

    return Lazy(np.arange(len(looked) + len(computed_from)), make)
