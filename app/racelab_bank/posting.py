"""What a scenario asks of a strategy: legs to apply, floors to keep, a guard to respect, an account to open."""

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
class Opening:
    """An account of a `kind` that an owner has once, created with `amount_cents` in it when it is missing.

    `run` is the run's key, or the id of an account whose run it is. `others` are legs that go with the creation. Where
    the account is there already it takes the amount, unless it counts `once`: then the operation is refused.
    """

    run: str | int
    owner: int
    amount_cents: int
    others: tuple[Leg, ...] = ()
    once: bool = False
    kind: Account.Kind = Account.Kind.MONEY

    def deposit(self, account: int) -> "Posting":
        """Return the posting for an account that is there. Raises `Refused` where it counts once."""
        if self.once:
            raise Refused(f"{self.owner} has been used: account {account} says so")
        return Posting((Leg(account, self.amount_cents),))


@dataclass(frozen=True, slots=True)
class Posting:
    """One indivisible change: its legs, in order of account id, so that locks are always taken in one order.

    The balances of the accounts in `guard` may not fall below their minimums together. `opening` is what strategies
    apply that work by creating rows instead of changing them.
    """

    legs: tuple[Leg, ...]
    guard: tuple[int, ...] = ()
    opening: Opening | None = None

    def __post_init__(self) -> None:
        ids = [leg.account for leg in self.legs]
        assert ids == sorted(set(ids)), f"legs must be ordered by account, each once: {ids}"  # noqa: S101 - our own code

    @classmethod
    def of(cls, *legs: Leg, opening: Opening | None = None) -> "Posting":
        """Return the posting of these legs, in the order that locks need."""
        return cls(tuple(sorted(legs, key=lambda leg: leg.account)), opening=opening)

    @property
    def accounts(self) -> tuple[int, ...]:
        """The accounts to read or to lock, in order of their ids."""
        return tuple(sorted({*(leg.account for leg in self.legs), *self.guard}))

    @property
    def required_opening(self) -> Opening:
        """The opening, for strategies that serve only scenarios that have one."""
        assert self.opening is not None, "callers ask Strategy.serves first"  # noqa: S101 - our own code
        return self.opening

    @property
    def checked(self) -> frozenset[int]:
        """The accounts whose balances decide whether the posting may be applied."""
        return frozenset(self.guard).union(leg.account for leg in self.legs if leg.floored)

    @property
    def floored_first(self) -> tuple[Leg, ...]:
        """The legs in the order for separate statements: what may be refused comes before what may not."""
        return tuple(sorted(self.legs, key=lambda leg: not leg.floored))

    def check(self, seen: Seen) -> None:
        """Check every floor and the guard against the balances that were read; raise `Refused` when one would break."""
        for leg in self.legs:
            account = seen[leg.account]
            if leg.floored and account.balance_cents + leg.amount_cents < account.minimum_cents:
                raise below_floor(leg)
        together = sum(seen[account].balance_cents - seen[account].minimum_cents for account in self.guard)
        if self.guard and together + sum(leg.amount_cents for leg in self.legs) < 0:
            told = " and ".join(map(str, self.guard))
            raise Refused(f"accounts {told} together would fall below their minimum")


@dataclass(frozen=True, slots=True)
class Applied:
    """What was written: the entry's id and the first leg's balances, None where the database computed them.

    The first leg is the one that could be refused, where there is one.
    """

    entry: UUID
    balance_before_cents: int | None
    balance_after_cents: int | None


def below_floor(leg: Leg) -> Refused:
    """Return the error for a leg that would break its account's floor."""
    return Refused(f"account {leg.account} cannot change by {leg.amount_cents} cents: it would fall below its minimum")
