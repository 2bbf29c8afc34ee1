"""Overdrafts, visible and hidden: more was paid out than the minimum allows.

Rule, visible: a balance below the minimum was installed. Where there is no one balance to look at, the end is judged:
the balances of an owner's accounts are below their minimums in sum, or the entries of a derived account, which keeps no
balance, sum up to less than its minimum.
Rule, hidden: opening + Σ amounts is below the minimum while the final balance is not; of an owner's accounts, in sum. A
lost withdrawal has left money on the account that was paid out. A CHECK constraint is blind to it.

One finding per account, or per owner of several accounts: they back each other, so that one of them may be below its
own minimum without anything being wrong.

Source: the constraint violation (A5B) in Berenson et al., A Critique of ANSI SQL Isolation Levels, 1995; the hidden
form follows from a lost update of a withdrawal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from racelab_bank.audit.lazy import Lazy
from racelab_bank.audit.registry import Anomaly, detector
from racelab_bank.audit.words import count, money, operation

if TYPE_CHECKING:
    from racelab_bank.audit.groups import Group
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry, Install


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
        return (
            f"{operation(self.entry)} put account {self.account} at {money(self.first.new_balance_cents)}, "
            f"below its minimum of {money(self.minimum_cents)}; {count(self.installs, 'balance')} below it, "
            f"the lowest {money(self.lowest_cents)}"
        )


@dataclass(frozen=True, slots=True)
class VisibleSum(Anomaly):
    """What accounts hold at the end is below the minimum: several accounts together, or one that is derived."""

    kind: ClassVar[str] = VisibleOverdraft.kind
    group: Group = field(repr=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """None in particular: it is the sum of all that is below the minimum."""
        return ()

    @property
    def sentence(self) -> str:
        """What there is, and what there should be."""
        group = self.group
        if group.shared:
            hold = f"{group.name} hold {money(group.balance_cents)} together, below their"
        else:
            hold = f"the entries of {group.name} sum up to {money(group.balance_cents)}, below its"
        return f"{hold} minimum of {money(group.minimum_cents)}"


@dataclass(frozen=True, slots=True)
class HiddenOverdraft(Anomaly):
    """The ledger is below the minimum, the balance is not."""

    kind: ClassVar[str] = "hidden_overdraft"
    group: Group = field(repr=False)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """None in particular: it is the sum of all that is below the minimum."""
        return ()

    @property
    def sentence(self) -> str:
        """What the balance says, and what was paid out."""
        group = self.group
        says, its = ("hold {} together", "their") if group.shared else ("says {}", "its")
        return (
            f"{group.name} {says.format(money(group.balance_cents))}, but {its} entries sum up to "
            f"{money(group.ledger_total_cents)}, below {its} minimum of {money(group.minimum_cents)}"
        )


@detector(VisibleOverdraft, "visible overdraft")
def visible_overdrafts(history: History) -> Lazy[VisibleOverdraft | VisibleSum]:
    """Find who was ever below the minimum, and the sums that are below it at the end."""
    versions, groups, accounts = history.versions, history.groups, history.tables.accounts
    installs = history.tables.installs
    summed = groups.shared | accounts.derived.values[groups.first]
    minimum = history.cents(accounts.minimum_cents)[versions.account]
    installed = history.cents(installs.new_balance_cents)[versions.install]
    below = np.asarray(installed < minimum, np.bool_)
    ever = np.zeros(len(groups), np.bool_)
    ever[groups.of[versions.account[below]]] = True
    found = np.where(summed, np.asarray(groups.balance_cents < groups.minimum_cents, np.bool_), ever)

    def make(number: int) -> VisibleOverdraft | VisibleSum:
        group = groups[number]
        if summed[number]:
            return VisibleSum(group.account, group)
        account = groups.first[number]
        begin, end = versions.starts[account], versions.starts[account + 1]
        those = np.flatnonzero(below[begin:end]) + begin
        return VisibleOverdraft(
            group.account,
            group.minimum_cents,
            first=installs[int(versions.install[those[0]])],
            entry=versions.entry_at(int(those[0])),
            installs=len(those),
            lowest_cents=int(installed[those].min()),
        )

    return Lazy(np.flatnonzero(found), make)


@detector(HiddenOverdraft, "hidden overdraft")
def hidden_overdrafts(history: History) -> Lazy[HiddenOverdraft]:
    """Find those whose ledger is below the minimum while the balance is not."""
    groups = history.groups
    found = (groups.ledger_total_cents < groups.minimum_cents) & (groups.minimum_cents <= groups.balance_cents)
    return Lazy(np.flatnonzero(found), lambda number: HiddenOverdraft(groups[number].account, groups[number]))
