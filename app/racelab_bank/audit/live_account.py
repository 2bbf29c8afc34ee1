"""What the live audit remembers of one account, and of the accounts that back each other. `live` changes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from racelab_bank.audit.rows import Account, Entry, Install


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What one account says, what its ledger says, and how many of its entries are lost."""

    account: int
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    entries: int
    lost: int


@dataclass(slots=True, eq=False)
class LiveAccount:
    """One account: what was consumed of it, and what is held. Held rows are keyed by what they wait for."""

    account: Account
    group: LiveGroup
    head: UUID
    balance_cents: int
    total_cents: int
    depth: int = 0
    installed: int = 0
    counted: int = 0
    fresh: bool = True
    overdrawn: bool = False
    blocked_since: int | None = None
    depths: dict[int, int] = field(default_factory=dict)
    entries: dict[int, tuple[Entry, int]] = field(default_factory=dict)
    lone: dict[int, Entry] = field(default_factory=dict)
    installs: dict[int | None, list[Install]] = field(default_factory=dict)
    given_up: set[int] = field(default_factory=set)

    @property
    def lost(self) -> int:
        """How many entries were installed that the balance does not descend from."""
        return self.installed - self.depth

    @property
    def drift_cents(self) -> int:
        """By how much the balance differs from the ledger."""
        return self.balance_cents - self.total_cents

    def figures(self) -> AccountFigures:
        """Return its figures as of the rows consumed."""
        return AccountFigures(
            account=self.account.id,
            opening_cents=self.account.opening_cents,
            ledger_total_cents=self.total_cents,
            balance_cents=self.balance_cents,
            drift_cents=self.drift_cents,
            entries=self.counted,
            lost=self.lost,
        )

    def next_install(self) -> Install | None:
        """Return the next install in version order, if it is here. The first may be the account's creation."""
        waiting = self.installs.get(self.head.int)
        if waiting is None and self.fresh:
            waiting = self.installs.get(None)
        return min(waiting, key=_sequence) if waiting else None

    def hold(self, install: Install) -> None:
        """Keep an install until what it replaces has been consumed."""
        self.installs.setdefault(_replaced(install), []).append(install)

    def remove(self, install: Install) -> None:
        """Hold this install no longer."""
        waiting = self.installs[_replaced(install)]
        waiting.remove(install)
        if not waiting:
            del self.installs[_replaced(install)]


@dataclass(slots=True, eq=False)
class LiveGroup:
    """The accounts of one owner, or one account without an owner: their sums, and how many of them requests created."""

    members: list[LiveAccount] = field(default_factory=list)
    minimum_cents: int = 0
    balance_cents: int = 0
    total_cents: int = 0
    created: int = 0

    @property
    def visible(self) -> bool:
        """Whether there is a visible overdraft: one account was ever below its minimum, or a sum is now."""
        if len(self.members) == 1 and not self.members[0].account.derived:
            return self.members[0].overdrawn
        return self.balance_cents < self.minimum_cents

    @property
    def hidden(self) -> bool:
        """Whether there is a hidden overdraft: the ledger is below the minimum, the balance is not."""
        return self.total_cents < self.minimum_cents <= self.balance_cents

    @property
    def duplicates(self) -> int:
        """How many accounts were created beyond the first."""
        return max(0, self.created - 1)

    def count_in(self, member: LiveAccount) -> None:
        """Add a member's sums."""
        self.balance_cents += member.balance_cents
        self.total_cents += member.total_cents

    def count_out(self, member: LiveAccount) -> None:
        """Take a member's sums away, to change them."""
        self.balance_cents -= member.balance_cents
        self.total_cents -= member.total_cents


def _sequence(install: Install) -> int:
    return install.sequence


def _replaced(install: Install) -> int | None:
    return None if install.old_head is None else install.old_head.int
