"""Read skew: what one operation read together was never there together.

Rule, of one account: an operation has read two different heads of it. Rule, of two: an operation read a version that
another operation's replaced, and yet followed that operation's version of another account, by having read it or by
having written after it.

Accounts that the operation wrote itself are left out of the first, and reads for a floor that its own write made stale
out of the second: a write that was computed from an old read is a lost update, and has a rule of its own.

Source: P2 (fuzzy read) and A5A (read skew) in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995; G-single,
a cycle with one anti-dependency, in Adya, Weak Consistency, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.graph.components import mutual
from racelab_bank.audit.graph.cycles import Name, name_of_pairs, steps_of_pair
from racelab_bank.audit.graph.dependencies import Sort
from racelab_bank.audit.graph.finding import CycleFound
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import who

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class FuzzyRead(Anomaly):
    """One account, of which `reader` has seen several `heads`."""

    kind: ClassVar[str] = "read_skew"
    reader: Entry
    heads: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The reader."""
        return (self.reader,)

    @property
    def sentence(self) -> str:
        """Who read what how often."""
        return f"{who(self.reader)} has read account {self.account} in {self.heads} different versions"


@dataclass(frozen=True, slots=True)
class ReadSkew(CycleFound):
    """A reader, and the writer of whom it has seen one half."""

    kind: ClassVar[str] = "read_skew"


@detector(FuzzyRead, "read skew")
def read_skews(history: History) -> Lazy[FuzzyRead | ReadSkew]:
    """Find the operations that read what was never there together: of one account, then of two."""
    reads, entries = history.dependencies.reads, history.tables.entries
    ids = history.tables.accounts.id.values
    fuzzy, heads = _fuzzy(history)
    edges = history.cycles.edges
    plain = edges.where((edges.sort == Sort.PLAIN) | (edges.sort == Sort.COMMUTING))
    pairs = mutual(plain.source, plain.target)
    skewed = name_of_pairs(plain.where(pairs.there), plain.where(pairs.back), Name.READ_SKEW)
    # Whoever overlooked a version of the very account that it had seen it on has read that in two versions.
    skewed &= plain.account[pairs.there] != plain.account[pairs.back]
    there, back = pairs.there[skewed], pairs.back[skewed]

    def make(number: int) -> FuzzyRead | ReadSkew:
        if number < len(fuzzy):
            read = fuzzy[number]
            reader = entries[int(history.postings.first[reads.posting[read]])]
            return FuzzyRead(int(ids[reads.account[read]]), reader, int(heads[number]))
        at = number - len(fuzzy)
        return ReadSkew.of(history, steps_of_pair(plain, int(there[at]), int(back[at])))

    return Lazy(np.arange(len(fuzzy) + len(there)), make)


def _fuzzy(history: History) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first read of each posting and account of which it has seen several heads, and how many."""
    reads = history.dependencies.reads
    seen = history.versions.seen[reads.row]
    elsewhere = np.flatnonzero(reads.own == NONE)
    order = elsewhere[np.lexsort((seen[elsewhere], reads.account[elsewhere], reads.posting[elsewhere]))]
    same = np.append(False, (np.diff(reads.posting[order]) == 0) & (np.diff(reads.account[order]) == 0))
    other = np.append(False, np.diff(seen[order]) != 0)
    begins = np.flatnonzero(~same[: len(order)])
    if not len(begins):
        return begins, begins
    heads = np.add.reduceat((same & other)[: len(order)].astype(np.intp), begins) + 1
    return order[begins[heads > 1]], heads[heads > 1]
