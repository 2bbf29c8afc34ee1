"""Duplicates: an owner has more than one account, because two requests each found none and created one.

Rule: requests created several accounts for one owner in the run. An account was created by a request when its first
install has replaced nothing; accounts that were opened before the load do not count. Every account but the first,
in the order of installs, is one too many.

Source: the phantom, P3 (r1[P]…w2[y in P]…) in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995: P is
"accounts of this owner", read by both and then written into by both. Its strict form A3 wants P to be read twice, so a
snapshot prevents A3 and lets this pass. It is a cycle of two predicate anti-dependencies: G2 in Adya, Weak Consistency,
1999.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.registry import Anomaly, detector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import Entry, History
    from racelab_bank.audit.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Duplicate(Anomaly):
    """An account of `owner` that was created although `first` had been; each is told by its creation."""

    kind: ClassVar[str] = "duplicate"
    owner: int
    surplus: Timeline = field(repr=False)
    first: Timeline = field(repr=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entry that created the account, and the one that created the first."""
        creators = (self.surplus.matched[0], self.first.matched[0])
        return tuple(entry for entry in creators if entry is not None)

    @property
    def sentence(self) -> str:
        """Who created what, and what was there."""
        created, before = _creator(self.surplus), _creator(self.first)
        return (
            f"{created} created account {self.account} for owner {self.owner}, "
            f"who had account {self.first.account.id} by then: {before} created it"
        )


def _creator(timeline: Timeline) -> str:
    entry = timeline.matched[0]
    return "a write without an entry" if entry is None else f"operation {entry.operation} on {entry.replica}"


@detector(Duplicate, "duplicate")
def duplicates(history: History) -> Iterator[Duplicate]:
    """Yield the accounts that requests created for owners beyond the first."""
    for group in history.groups:
        if group.owner is None:
            continue
        created = [one for one in group.timelines if one.installs and one.installs[0].old_head is None]
        if len(created) > 1:
            first = min(created, key=lambda one: one.installs[0].sequence)
            for surplus in created:
                if surplus is not first:
                    yield Duplicate(surplus.account.id, group.owner, surplus, first)
