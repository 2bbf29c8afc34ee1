"""Write skew: each of two operations read an account that the other one changed, and neither saw the other.

Rule: an operation depends on another's absence when it read an account and the other made the install that replaced
the very head it had seen. Two operations that depend on each other's absence cannot be put in any order. One finding
per pair.

What an operation read of an account that it wrote itself is left out. When the database adds, two transfers in opposite
directions read both accounts, write both, and lose nothing: every amount is in both balances, and they would be blamed.
What such a read can do is overwrite, or check a floor too early, on one account: lost updates and overdrafts, which
have rules of their own. As neither operation wrote the account that it counts as a reader of, a pair is always about
two accounts. Longer cycles are not looked for.

Source: A5B, r1[x]…r2[y]…w1[y]…w2[x], in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995; a cycle of two
item anti-dependencies, G2-item, in Adya, Weak Consistency, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from racelab_bank.audit.history import Entry, History


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
        first, second = (
            f"operation {one.operation} on {one.replica} ({signed(one.amount_cents)} on account {one.account})"
            for one in self.entries
        )
        return f"{first} and {second} had each read the account that the other changed, before it did"


@detector(WriteSkew, "write skew")
def write_skews(history: History) -> Iterator[WriteSkew]:
    """Yield the pairs of operations of which each read what the other replaced."""
    unseen = _unseen(history)
    found = []
    for (reader, writer), there in unseen.items():
        here = unseen.get((writer, reader))
        if here is not None and reader < writer:
            first, second = sorted((here, there), key=_written)
            found.append(WriteSkew(min(here.account, there.account), first, second))
    yield from sorted(found, key=lambda skew: (skew.account, _written(skew.first), _written(skew.second)))


def _unseen(history: History) -> Mapping[tuple[int, int], Entry]:
    """Return, by reader and writer, the writer's leg that replaced what the reader had seen: the first, of several.

    Only operations that read can be on a cycle, as readers and as writers; the others are left out.
    """
    readers = {read.entry.int for read in history.reads}
    legs = {(entry.id.int, entry.account): entry for entry in history.entries if entry.id.int in readers}
    # A head that a stale `save()` has put back is replaced twice. Whichever of the two versions was read, it comes
    # before the last replacement: that one counts.
    replaced_by = {
        (account, install.old_head.int): install.new_head.int
        for account in {read.account for read in history.reads}
        for install in history.timelines[account].installs
        if install.old_head is not None
    }
    unseen: dict[tuple[int, int], Entry] = {}
    for read in history.reads:
        reader = read.entry.int
        writer = replaced_by.get((read.account, read.seen_head.int))
        if writer is None or (reader, read.account) in legs or (writer, read.account) not in legs:
            continue
        unseen.setdefault((reader, writer), legs[writer, read.account])
    return unseen


def _written(entry: Entry) -> tuple[int, int]:
    return (entry.written_at_microseconds, entry.id.int)
