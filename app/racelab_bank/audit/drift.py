"""Compare balances with the ledger, and explain every cent of the difference.

Drift is what the accounts say less what the ledger says: Σ balance − (Σ opening + Σ amounts). The identity, always
checked, takes it apart into what each write did:

    drift = Σ matched (balance_before − install.old_balance)      written from a stale read
          + Σ install-only (new_balance − old_balance)            balances without an entry
          − Σ entry-only amounts                                  entries without a balance

A computed entry contributes (new − old) − amount, which must be 0. The identity stands only when the installs are one
unbroken chain from the opening to the account's head, and when every absolute write installed balance_before + amount.
On accounts without torn halves the drift must also be −Σ amounts of the lost entries. A run that breaks the identity
has rows that cannot all be true: nothing can be concluded from it.

A derived account keeps no balance that could drift: its entries are its balance, and nothing is ever installed on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from racelab_bank.audit.words import money, signed

if TYPE_CHECKING:
    from racelab_bank.audit.history import Entry, History, Install
    from racelab_bank.audit.timeline import Timeline


@dataclass(frozen=True, slots=True)
class AccountDrift:
    """One account's sums, what its drift is made of, and why the identity does not hold; None when it does."""

    account: int
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    stale_cents: int
    install_only_cents: int
    entry_only_cents: int
    lost_cents: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """A run's sums and those of each of its accounts. `reason` is the first account's whose identity is broken."""

    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    absolute_drift_cents: int
    accounts: tuple[AccountDrift, ...]
    reason: str | None

    @property
    def identity_holds(self) -> bool:
        """Whether every cent of the drift is explained, on every account."""
        return self.reason is None


def drift(history: History) -> Drift:
    """Sum up a run and check the identity on each of its accounts."""
    accounts = tuple(account_drift(timeline) for timeline in history.timelines.values())
    return Drift(
        opening_cents=sum(account.opening_cents for account in accounts),
        ledger_total_cents=sum(account.ledger_total_cents for account in accounts),
        balance_cents=sum(account.balance_cents for account in accounts),
        drift_cents=sum(account.drift_cents for account in accounts),
        absolute_drift_cents=sum(abs(account.drift_cents) for account in accounts),
        accounts=accounts,
        reason=next((f"account {one.account}: {one.reason}" for one in accounts if one.reason is not None), None),
    )


def account_drift(timeline: Timeline) -> AccountDrift:
    """Sum up one account and check the identity on it."""
    if timeline.account.derived:
        return derived_sums(timeline)
    account = timeline.account
    ledger_total = timeline.ledger_total_cents
    difference = account.balance_cents - ledger_total
    stale = install_only = 0
    reason = broken_link(timeline)
    for install, entry in zip(timeline.installs, timeline.matched, strict=True):
        if entry is None:
            install_only += install.new_balance_cents - install.old_balance_cents
            continue
        if entry.balance_before_cents is None:
            stale += install.new_balance_cents - install.old_balance_cents - entry.amount_cents
        else:
            stale += entry.balance_before_cents - install.old_balance_cents
        reason = reason or broken_sum(install, entry)
    entry_only = sum(entry.amount_cents for entry in timeline.lone_entries)
    lost = sum(entry.amount_cents for entry in timeline.victims)
    explained = stale + install_only - entry_only
    if reason is None and difference != explained:
        reason = f"the drift is {money(difference)}, but the writes explain {money(explained)}"
    if reason is None and not timeline.torn and difference != -lost:
        reason = (
            f"the drift is {money(difference)}, but the lost updates explain {money(-lost)}: "
            "an entry says it read a balance that was never installed"
        )
    return AccountDrift(
        account=account.id,
        opening_cents=account.opening_cents,
        ledger_total_cents=ledger_total,
        balance_cents=account.balance_cents,
        drift_cents=difference,
        stale_cents=stale,
        install_only_cents=install_only,
        entry_only_cents=entry_only,
        lost_cents=lost,
        reason=reason,
    )


def derived_sums(timeline: Timeline) -> AccountDrift:
    """Sum up an account whose balance is its entries; an install on it is what breaks its identity."""
    reason = unexpected_install(timeline.installs[0]) if timeline.installs else None
    total = timeline.ledger_total_cents
    return AccountDrift(
        account=timeline.account.id,
        opening_cents=timeline.account.opening_cents,
        ledger_total_cents=total,
        balance_cents=total,
        drift_cents=0,
        stale_cents=0,
        install_only_cents=0,
        entry_only_cents=0,
        lost_cents=0,
        reason=reason,
    )


def unexpected_install(install: Install) -> str:
    """Say that a derived account has an install."""
    return (
        f"it keeps no balance of its own, but install {install.sequence} put {money(install.new_balance_cents)} on it"
    )


def broken_sum(install: Install, entry: Entry) -> str | None:
    """Say how an entry and the balance it installed contradict each other, or None when they agree."""
    if entry.balance_before_cents is None:
        change = install.new_balance_cents - install.old_balance_cents
        if change != entry.amount_cents:
            return f"entry {entry.id} is {signed(entry.amount_cents)}, but its install changed {signed(change)}"
        return None
    expected = entry.balance_before_cents + entry.amount_cents
    if install.new_balance_cents != expected:
        return (
            f"entry {entry.id} computed {money(expected)} from what it read, "
            f"but its install put {money(install.new_balance_cents)}"
        )
    return None


def broken_link(timeline: Timeline) -> str | None:
    """Say where the installs are not one chain from the opening to the account, or None when they are."""
    account = timeline.account
    head = timeline.installs[0].old_head if timeline.installs else account.head
    at = None if head is None else head.int
    if any(entry is not None and entry.id.int == at for entry in chain(timeline.matched, timeline.lone_entries)):
        return f"the first version replaced entry {head}, whose own install is missing"
    balance = account.opening_cents
    for install in timeline.installs:
        if (None if install.old_head is None else install.old_head.int) != at:
            return f"install {install.sequence} replaced head {install.old_head}, which is not the one before it"
        if install.old_balance_cents != balance:
            return (
                f"install {install.sequence} replaced {money(install.old_balance_cents)}, "
                f"but {money(balance)} was there before it"
            )
        at = install.new_head.int
        balance = install.new_balance_cents
    if at != account.head.int:
        return f"the account's head is {account.head}, which is not the last install"
    if balance != account.balance_cents:
        return f"the account says {money(account.balance_cents)}, but the last install put {money(balance)}"
    return None
