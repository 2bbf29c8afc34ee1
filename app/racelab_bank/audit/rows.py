"""What is audited, row by row: accounts, entries, installs and reads of a ledger, operations as generators saw them.

Amounts are integer cents; times are Unix microseconds. A history keeps rows in columns (`tables`) and makes these
values of the few that somebody wants to see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Account:
    """What an account says. `head` is the entry that wrote the balance, or the opening id of a fresh account.

    Accounts of one `owner` back each other. `derived`: no balance is kept, it is the opening plus the entries' sum.
    """

    id: int
    opening_cents: int
    balance_cents: int
    minimum_cents: int
    head: UUID
    owner: int | None = None
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One leg of one applied posting. `previous` is the head that its writer had read.

    `balance_before_cents` and `previous` are None where the database computed the balance. An entry of several legs has
    one row per leg and at most one per account. `seen_entries` is how many entries of a derived account its writer had
    summed up; None where that is not known.
    """

    id: UUID
    leg: int
    leg_count: int
    account: int
    operation: str
    amount_cents: int
    balance_before_cents: int | None
    balance_after_cents: int | None
    previous: UUID | None
    strategy: str
    replica: str
    worker: str
    transaction: int
    read_at_microseconds: int | None
    written_at_microseconds: int
    seen_entries: int | None = None


@dataclass(frozen=True, slots=True)
class Install:
    """One balance put on an account. Per account, the order of `sequence` is the true version order.

    `old_head` is None where the account was created with this balance.
    """

    sequence: int
    account: int
    old_head: UUID | None
    new_head: UUID
    old_balance_cents: int
    new_balance_cents: int
    transaction: int


@dataclass(frozen=True, slots=True)
class Read:
    """What else the operation of `entry` read: the `seen_head` of an account that it checked before it wrote."""

    entry: UUID
    account: int
    seen_head: UUID


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as a generator saw it: `ok` it was applied, `fail` it was not, `info` nobody knows."""

    generator: int
    key: str
    type: Literal["ok", "fail", "info"]
    account: int | None
    amount_cents: int
    status: int | None
    outcome: str | None
    entry: UUID | None
    replica: str | None
    begin_microseconds: int
    end_microseconds: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Histories:
    """Which generators' histories are there: `complete` ones, and `lost` ones with the reason.

    `expected` is how many generators the run has; 0 says that none was ever asked for, as on the playground.
    """

    expected: int
    complete: frozenset[int] = frozenset()
    lost: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    def missing(self) -> str | None:
        """Say which histories are missing, or None when all that are expected are complete."""
        for generator in range(self.expected):
            if generator not in self.complete:
                reason = self.lost.get(generator)
                return f"the history of generator {generator} " + (
                    "has not arrived" if reason is None else f"is lost: {reason}"
                )
        return None
