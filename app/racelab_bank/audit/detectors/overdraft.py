"""Overdrafts, visible and hidden: more was paid out than the account's minimum allows.

Rule, visible: a balance below the minimum was installed.
Rule, hidden: opening + Σ amounts is below the minimum while the final balance is not. A lost withdrawal has left money
on the account that was paid out. A CHECK constraint is blind to it.

One finding per account. Source: the constraint violation (A5B) in Berenson et al., A Critique of ANSI SQL Isolation
Levels, 1995; the hidden form follows from a lost update of a withdrawal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import count, money

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import Entry, History, Install


@dataclass(frozen=True, slots=True)
class VisibleOverdraft(Anomaly):
    """`first` put a balance below the minimum, by `entry` if it has one; `installs` did so in all."""

    kind: ClassVar[str] = "visible_overdraft"
    minimum_cents: int
    first: Install
    entry: Entry | None
    installs: int
    lowest_cents: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entry that first overdrew the account."""
        return () if self.entry is None else (self.entry,)

    @property
    def sentence(self) -> str:
        """Who overdrew the account, and how far."""
        who = "a write without an entry" if self.entry is None else f"operation {self.entry.operation}"
        return (
            f"{who} put account {self.account} at {money(self.first.new_balance_cents)}, below its minimum of "
            f"{money(self.minimum_cents)}; {count(self.installs, 'balance')} below it, "
            f"the lowest {money(self.lowest_cents)}"
        )


@dataclass(frozen=True, slots=True)
class HiddenOverdraft(Anomaly):
    """The ledger is below the minimum, the balance is not."""

    kind: ClassVar[str] = "hidden_overdraft"
    minimum_cents: int
    ledger_total_cents: int
    balance_cents: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """None in particular: it is the sum of all that is below the minimum."""
        return ()

    @property
    def sentence(self) -> str:
        """What the account says, and what was paid out."""
        return (
            f"account {self.account} says {money(self.balance_cents)}, but its entries sum up to "
            f"{money(self.ledger_total_cents)}, below its minimum of {money(self.minimum_cents)}"
        )


@detector(VisibleOverdraft, "visible overdraft")
def visible_overdrafts(history: History) -> Iterator[VisibleOverdraft]:
    """Yield the accounts on which a balance below the minimum was ever installed."""
    for account, timeline in history.timelines.items():
        minimum = timeline.account.minimum_cents
        below = [version for version, one in enumerate(timeline.installs) if one.new_balance_cents < minimum]
        if below:
            yield VisibleOverdraft(
                account,
                minimum,
                first=timeline.installs[below[0]],
                entry=timeline.matched[below[0]],
                installs=len(below),
                lowest_cents=min(timeline.installs[version].new_balance_cents for version in below),
            )


@detector(HiddenOverdraft, "hidden overdraft")
def hidden_overdrafts(history: History) -> Iterator[HiddenOverdraft]:
    """Yield the accounts whose ledger is below the minimum while the balance is not."""
    for identifier, timeline in history.timelines.items():
        account = timeline.account
        total = account.opening_cents + timeline.amounts_cents
        if total < account.minimum_cents <= account.balance_cents:
            yield HiddenOverdraft(identifier, account.minimum_cents, total, account.balance_cents)
