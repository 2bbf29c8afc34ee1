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

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import who

if TYPE_CHECKING:
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class Duplicate(Anomaly):
    """An account of `owner` that was created although the account `first` had been; each with the entry that did it."""

    kind: ClassVar[str] = "duplicate"
    owner: int
    first: int
    surplus_creator: Entry | None
    first_creator: Entry | None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entry that created the account, and the one that created the first."""
        return tuple(entry for entry in (self.surplus_creator, self.first_creator) if entry is not None)

    @property
    def sentence(self) -> str:
        """Who created what, and what was there."""
        created, before = who(self.surplus_creator), who(self.first_creator)
        return (
            f"{created} created account {self.account} for owner {self.owner}, "
            f"who had account {self.first} by then: {before} created it"
        )


@detector(Duplicate, "duplicate")
def duplicates(history: History) -> Lazy[Duplicate]:
    """Find the accounts that requests created for owners beyond the first."""
    versions = history.versions
    births, first_of_owner = history.groups.births
    account = versions.account[births]
    ids = history.tables.accounts.id.values[account]
    later = np.flatnonzero(first_of_owner != np.arange(len(births)))

    def make(number: int) -> Duplicate:
        first = int(first_of_owner[number])
        creators = (versions.entry_at(int(births[one])) for one in (number, first))
        owner = int(history.tables.accounts.owner.values[account[number]])
        return Duplicate(int(ids[number]), owner, int(ids[first]), *creators)

    return Lazy(later[np.lexsort((ids[later], history.groups.of[account[later]]))], make)
