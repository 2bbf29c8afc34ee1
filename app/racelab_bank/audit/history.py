"""What is audited: accounts, entries and installs as the ledger holds them, operations as the generators saw them.

Amounts are integer cents; times are Unix microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from racelab_bank.audit.groups import groups
from racelab_bank.audit.timeline import timelines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from racelab_bank.audit.groups import Group
    from racelab_bank.audit.timeline import Timeline


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
    one row per leg and at most one per account.
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


@dataclass(frozen=True)
class History:
    """One run, read in one snapshot: rows in any order. Indexes are built once, when first asked for."""

    accounts: Sequence[Account]
    entries: Sequence[Entry]
    installs: Sequence[Install]
    operations: Sequence[Operation]
    histories: Histories
    reads: Sequence[Read] = ()

    @cached_property
    def timelines(self) -> Mapping[int, Timeline]:
        """One timeline per account, by account id. Raises `ValueError` for rows of an account that is not here."""
        return timelines(self.accounts, self.entries, self.installs)

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The accounts, together with those that back them."""
        return groups(self.timelines.values())

    @cached_property
    def applied(self) -> Mapping[str, Entry]:
        """The first entry of each operation key. Entries without a key are left out."""
        applied: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.operation:
                applied.setdefault(entry.operation, entry)
        return applied

    @cached_property
    def attempts(self) -> Mapping[str, Sequence[Entry]]:
        """The entries of those operation keys that have several: legs of one attempt, or several attempts."""
        attempts: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.operation and (first := self.applied[entry.operation]) is not entry:
                attempts.setdefault(entry.operation, [first]).append(entry)
        return attempts
