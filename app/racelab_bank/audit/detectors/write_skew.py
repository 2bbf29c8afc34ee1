"""Write skew: each of two operations read an account that the other one changed, and neither saw the other.

Rule: an operation depends on another's absence when it read an account and the other made the install that replaced
the very head it had seen. Two operations that depend on each other's absence cannot be put in any order. One finding
per pair.

What an operation read of an account that it wrote itself is left out. When the database adds, two transfers in opposite
directions read both accounts, write both, and lose nothing: every amount is in both balances, and they would be blamed.
What such a read can do is overwrite, or check a floor too early, on one account: lost updates and overdrafts, which
have rules of their own. As neither operation wrote the account that it counts as a reader of, a pair is always about
two accounts. Longer cycles are dependency cycles.

Source: A5B, r1[x]…r2[y]…w1[y]…w2[x], in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995; a cycle of two
item anti-dependencies, G2-item, in Adya, Weak Consistency, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.graph.components import mutual
from racelab_bank.audit.graph.dependencies import Kind, Sort
from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import signed, who

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class WriteSkew(Anomaly):
    """`first` and `second`, in the order they were written: the legs on the accounts that the other one had read."""

    kind: ClassVar[str] = "write_skew"
    first: Entry
    second: Entry

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Both."""
        return (self.first, self.second)

    @property
    def sentence(self) -> str:
        """Who changed what, and that neither knew."""
        first, second = (f"{who(one)} ({signed(one.amount_cents)} on account {one.account})" for one in self.entries)
        return f"{first} and {second} had each read the account that the other changed, before it did"


@detector(WriteSkew, "write skew")
def write_skews(history: History) -> Lazy[WriteSkew]:
    """Find the pairs of operations of which each read what the other replaced."""
    edges = history.cycles.edges
    overlooked = edges.where((edges.kind == Kind.RW) & (edges.sort == Sort.PLAIN))
    pairs = mutual(overlooked.source, overlooked.target)
    # Of each pair, the first of the versions that either of them overlooked, in both directions.
    there, back = overlooked.version[pairs.there], overlooked.version[pairs.back]

    def make(number: int) -> WriteSkew:
        legs = [history.versions.entry_at(int(version)) for version in (there[number], back[number])]
        first, second = sorted((leg for leg in legs if leg is not None), key=_written)
        return WriteSkew(min(first.account, second.account), first, second)

    return Lazy(_told_in_order(history, there, back), make)


def _told_in_order(history: History, there: NDArray[np.int32], back: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the order of the lowest account, then of the two legs' times."""
    versions, entries = history.versions, history.tables.entries
    ids = history.tables.accounts.id.values
    written = [entries.written_at_microseconds.values[versions.entry[one]] for one in (there, back)]
    account = np.minimum(ids[versions.account[there]], ids[versions.account[back]])
    return np.lexsort((np.maximum(*written), np.minimum(*written), account))


def _written(entry: Entry) -> tuple[int, int]:
    return (entry.written_at_microseconds, entry.id.int)
