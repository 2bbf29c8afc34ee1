"""What a scenario asks of a strategy: legs to apply, floors to keep, a guard to respect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from racelab_bank.errors import Refused
from racelab_bank.models import Account

#: The accounts that an operation has read, by id.
Seen: TypeAlias = Mapping[int, Account]


@dataclass(frozen=True, slots=True)
class Leg:
    """A change of one account. `floored`: its balance may not fall below its `minimum_cents`."""

    account: int
    amount_cents: int
    floored: bool = False


@dataclass(frozen=True, slots=True)
class Posting:
    """One indivisible change: its legs, in order of account id, so that locks are always taken in one order."""

    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        ids = [leg.account for leg in self.legs]
        assert ids == sorted(set(ids)), f"legs must be ordered by account, each once: {ids}"  # noqa: S101 - our own code

    @property
    def floored(self) -> bool:
        """Whether a balance must be checked before it is lowered."""
        return any(leg.floored for leg in self.legs)

    def check(self, seen: Seen) -> None:
        """Check every floor against the balances that were read; raise `Refused` when one would be broken."""
        for leg in self.legs:
            account = seen[leg.account]
            if leg.floored and account.balance_cents + leg.amount_cents < account.minimum_cents:
                raise below_floor(leg)


@dataclass(frozen=True, slots=True)
class Applied:
    """What was written: the entry's id and the first leg's balances, None where the database computed them."""

    entry: UUID
    balance_before_cents: int | None
    balance_after_cents: int | None


def below_floor(leg: Leg) -> Refused:
    """Return the error for a leg that would break its account's floor."""
    return Refused(f"account {leg.account} cannot change by {leg.amount_cents} cents: it would fall below its minimum")
