"""Accounts that back each other: those of one owner are one group, every other account is a group of its own.

A floor is kept by a group: an owner's account may be below its own minimum while another one makes up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from racelab_bank.audit.words import listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from racelab_bank.audit.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Group:
    """The accounts of `owner`, or one account without an owner, in ascending order of ids."""

    owner: int | None
    timelines: Sequence[Timeline]

    @property
    def account(self) -> int:
        """The id of the first account: what is found about the group is listed under it."""
        return self.timelines[0].account.id

    @property
    def shared(self) -> bool:
        """Whether there is more than one account."""
        return len(self.timelines) > 1

    @property
    def name(self) -> str:
        """What the group is called in a sentence: `account 5`, `owner 7's accounts 17 and 18`."""
        ids = [timeline.account.id for timeline in self.timelines]
        return f"owner {self.owner}'s accounts {listing(ids)}" if self.shared else f"account {ids[0]}"

    @property
    def balance_cents(self) -> int:
        """What the accounts hold together."""
        return sum(timeline.balance_cents for timeline in self.timelines)

    @property
    def ledger_total_cents(self) -> int:
        """What the accounts must hold together."""
        return sum(timeline.ledger_total_cents for timeline in self.timelines)

    @property
    def minimum_cents(self) -> int:
        """What the accounts may not fall below together."""
        return sum(timeline.account.minimum_cents for timeline in self.timelines)


def groups(timelines: Iterable[Timeline]) -> Sequence[Group]:
    """Group accounts by owner, in ascending order of each group's first account."""
    owned: dict[int, list[Timeline]] = {}
    found = []
    for timeline in sorted(timelines, key=lambda one: one.account.id):
        owner = timeline.account.owner
        if owner is None:
            found.append(Group(None, (timeline,)))
        elif owner in owned:
            owned[owner].append(timeline)
        else:
            owned[owner] = [timeline]
            found.append(Group(owner, owned[owner]))
    return found
