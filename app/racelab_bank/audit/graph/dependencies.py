"""The dependency graph: postings as nodes, and an edge from each to one that cannot have come before it.

The version order is recorded, so the edges are those of Adya, Weak Consistency, 1999, and as many as there are rows:

    ww  the target installed the version after the source's
    wr  the target read the version that the source had installed
    rw  the source read a version that the target's replaced

A write that the database computed has read what it replaced, and depends on nothing else. One that was computed from a
stale read stands later than all that it overwrote: beside its rw edge to the first of them there is the way back, so
that each lost update is a cycle of two. Edges that are implied by others are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.versions import OPENING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import History


class Kind(IntEnum):
    """What makes the target depend on the source."""

    WW = 0
    WR = 1
    RW = 2


class Sort(IntEnum):
    """What an edge is about: what else must be known to tell whether a cycle of such edges does harm."""

    #: A version was replaced, or an account read that its reader did not write.
    PLAIN = 0
    #: The database added both amounts: in whatever order it did, the sum is the same.
    COMMUTING = 1
    #: A floor was checked on a balance, or on a sum, that was no longer true when its own checker changed it.
    GUARD = 2
    #: Both created an account of one owner, having seen none.
    PREDICATE = 3
    #: A balance was computed from a read that was no longer true when it was installed.
    STALE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Edges, one element each: postings `source` and `target`, `Kind`, `Sort`, the row of the `account` it is about.

    `version` is what it is about there: for ww the target's version, for wr the one that was read, for rw the one that
    replaced what was read. `NONE` where an account has no versions.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    kind: NDArray[np.uint8]
    sort: NDArray[np.uint8]
    account: NDArray[np.int32]
    version: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.source)

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Edges:
        """Return some of the edges."""
        return Edges(*(getattr(self, name)[chosen] for name in self.__slots__))


class Dependencies:
    """A history's graph. `writer` is each version's posting, `NONE` for a write without an entry."""

    def __init__(self, history: History) -> None:
        self._history = history
        versions = history.versions
        of_entry = history.postings.of_entry
        rows = versions.entry
        self.writer = np.where(rows == NONE, NONE, of_entry[rows] if len(of_entry) else NONE).astype(np.int32)

    @cached_property
    def edges(self) -> Edges:
        """All edges between two postings; of several between the same two, those that tell most come first."""
        parts = [*self._stale(), *self._created(), *self._looked(), *self._summed(), self._replaced()]
        edges = Edges(*(np.concatenate([getattr(part, name) for part in parts]) for name in Edges.__slots__))
        return edges.where((edges.source != NONE) & (edges.target != NONE) & (edges.source != edges.target))

    def _replaced(self) -> Edges:
        """Return each version's writer before the next one's."""
        versions = self._history.versions
        later = np.flatnonzero(~versions.first)
        computed = versions.has_entry & ~versions.absolute
        sort = np.where(computed[later] & computed[later - 1], Sort.COMMUTING, Sort.PLAIN)
        return self._made(self.writer[later - 1], self.writer[later], Kind.WW, sort, versions.account[later], later)

    def _stale(self) -> list[Edges]:
        """Return who computed from a stale read: before the first that it overwrote, by its read, and after it."""
        versions = self._history.versions
        stale = np.flatnonzero(versions.stale & (versions.parents >= OPENING))
        account = versions.account[stale]
        return self._both_ways(
            self.writer[stale], self._after(versions.parents[stale], account), account, stale, Sort.STALE
        )

    def _looked(self) -> list[Edges]:
        """Return what postings read beside what they wrote, and floors they checked before the database computed."""
        reads = self.reads
        account, seen, reader = reads.account, reads.version, reads.posting
        own = reads.own != NONE
        after = self._after(seen, account)
        overlooked = own & (seen >= OPENING) & (after != NONE) & (after < reads.own)
        rows = np.flatnonzero(overlooked)
        floors = self._both_ways(reader[rows], after[rows], account[rows], reads.own[rows], Sort.GUARD)
        wrote = np.flatnonzero(~own & (seen >= 0))
        wr = self._made(self.writer[seen[wrote]], reader[wrote], Kind.WR, Sort.PLAIN, account[wrote], seen[wrote])
        next_one = np.flatnonzero(~own & (seen >= OPENING) & (after != NONE))
        rw = self._made(
            reader[next_one], self.writer[after[next_one]], Kind.RW, Sort.PLAIN, account[next_one], after[next_one]
        )
        return [*floors, wr, rw]

    def _both_ways(
        self,
        reader: NDArray[np.int32],
        overwritten: NDArray[np.int32],
        account: NDArray[np.intp],
        own: NDArray[np.intp] | NDArray[np.int32],
        sort: Sort,
    ) -> list[Edges]:
        """Return that a reader came before the version that replaced what it had read, and wrote after it."""
        writer = self.writer[overwritten]
        return [
            self._made(reader, writer, Kind.RW, sort, account, overwritten),
            self._made(writer, reader, Kind.WW, sort, account, own),
        ]

    def _summed(self) -> list[Edges]:
        """Return the order of derived accounts' writers: who had seen as many entries has not seen the other's."""
        order, seen, account = self.summed
        posting = self._history.postings.of_entry[order]
        same = account[1:] == account[:-1]
        together = np.flatnonzero(same & (seen[1:] == seen[:-1]))
        apart = np.flatnonzero(same & (seen[1:] != seen[:-1]))
        nothing = np.full(len(order), NONE)
        return [
            self._made(posting[apart], posting[apart + 1], Kind.WR, Sort.PLAIN, account[apart], nothing[apart]),
            self._made(
                posting[together], posting[together + 1], Kind.RW, Sort.GUARD, account[together], nothing[together]
            ),
            self._made(
                posting[together + 1], posting[together], Kind.RW, Sort.GUARD, account[together], nothing[together]
            ),
        ]

    @cached_property
    def summed(self) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.intp]]:
        """Entries of derived accounts that tell what they had seen: rows, how many they saw, accounts' rows."""
        entries, account = self._history.tables.entries, self._history.versions.entry_account
        told = everything(entries.seen_entries) & self._history.tables.accounts.derived.values[account]
        rows = np.flatnonzero(told)
        seen = entries.seen_entries.values[rows]
        order = np.lexsort((seen, account[rows]))
        return rows[order], seen[order], account[rows][order]

    def _created(self) -> list[Edges]:
        """Return who created an account for an owner, having seen none, beside who created the first one."""
        births, first = self._history.groups.births
        later = np.flatnonzero(first != np.arange(len(first)))
        one, other = self.writer[births[later]], self.writer[births[first[later]]]
        account = self._history.versions.account
        there = self._made(one, other, Kind.RW, Sort.PREDICATE, account[births[first[later]]], births[first[later]])
        back = self._made(other, one, Kind.RW, Sort.PREDICATE, account[births[later]], births[later])
        return [there, back]

    @staticmethod
    def _made(  # noqa: PLR0917 - the fields of Edges, in their order
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        kind: Kind,
        sort: Sort | NDArray[np.int64],
        account: NDArray[np.intp] | NDArray[np.int32],
        version: NDArray[np.intp] | NDArray[np.int32],
    ) -> Edges:
        count = len(source)
        return Edges(
            source,
            target,
            np.full(count, kind, np.uint8),
            np.broadcast_to(np.asarray(sort, np.uint8), count),
            account.astype(np.int32),
            version.astype(np.int32),
        )

    def _after(self, version: NDArray[np.int32], account: NDArray[np.intp]) -> NDArray[np.int32]:
        """Return the version after each, `NONE` where it is its account's last. `OPENING` is before the first."""
        starts = self._history.versions.starts
        after = np.where(version == OPENING, starts[account], version.astype(np.int64) + 1)
        return np.where(after < starts[account + 1], after, NONE).astype(np.int32)

    @cached_property
    def reads(self) -> ResolvedReads:
        """The reads of postings that are in the ledger, each with the version that it saw."""
        history = self._history
        versions, postings = history.versions, history.postings
        rows = np.flatnonzero(postings.of_read != NONE)
        account = versions.read_account[rows]
        entry = versions.entry_of_head(versions.reader_head[rows])
        own = np.where(entry == NONE, NONE, versions.version_of_entry[entry] if len(versions.own) else NONE)
        before = np.where(own == NONE, len(versions), own).astype(np.int32)
        seen = versions.last_before(versions.seen[rows], account, before)
        return ResolvedReads(rows, postings.of_read[rows], account, seen, own.astype(np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedReads:
    """Reads, one element each: its row, the reader's posting, the account's row, the version that was seen.

    `version` is `OPENING` for the opening, `UNKNOWN` for a head that was never installed before. `own` is the version
    that the reader itself put on that account, `NONE` where it did not write it.
    """

    row: NDArray[np.intp]
    posting: NDArray[np.int32]
    account: NDArray[np.intp]
    version: NDArray[np.int32]
    own: NDArray[np.int32]
