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

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.chain import broken_links, broken_sums
from racelab_bank.audit.sums import added, by_account, whole
from racelab_bank.audit.words import money

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags, Numbers
    from racelab_bank.audit.history import History


@dataclass(frozen=True, slots=True)
class AccountDrift:
    """One account's sums, and what its drift is made of."""

    account: int
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    stale_cents: int
    install_only_cents: int
    entry_only_cents: int
    lost_cents: int


@dataclass(frozen=True)
class Drift:
    """A run's sums. `parts` are those of its accounts, one array per field of `AccountDrift`.

    `reason` is that of the first account whose identity is broken; None when every cent is explained on every account.
    """

    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    absolute_drift_cents: int
    reason: str | None
    parts: tuple[Numbers, ...] = field(repr=False)

    @property
    def identity_holds(self) -> bool:
        """Whether every cent of the drift is explained, on every account."""
        return self.reason is None

    @cached_property
    def accounts(self) -> tuple[AccountDrift, ...]:
        """The sums of each account, in the order of the accounts."""
        return tuple(AccountDrift(*(int(value) for value in row)) for row in zip(*self.parts, strict=True))


def drift(history: History) -> Drift:
    """Sum up a run and check the identity on each of its accounts."""
    sums, versions = history.sums, history.versions
    derived = history.tables.accounts.derived.values
    difference = sums.balance_cents - sums.ledger_total_cents
    stale, install_only = _written(history)
    amounts = history.cents(history.tables.entries.amount_cents)
    lone = versions.lone_entries
    entry_only = by_account(versions.entry_account[lone], amounts[lone], len(derived))
    lost = added(np.where(versions.lost, amounts[versions.entry] if len(amounts) else 0, 0), versions.starts)
    parts = {
        "stale_cents": stale,
        "install_only_cents": install_only,
        "entry_only_cents": entry_only,
        "lost_cents": lost,
    }
    for part in parts.values():
        part[derived] = 0
    explained = stale + install_only - entry_only
    return Drift(
        opening_cents=whole(sums.opening_cents),
        ledger_total_cents=whole(sums.ledger_total_cents),
        balance_cents=whole(sums.balance_cents),
        drift_cents=whole(difference),
        absolute_drift_cents=whole(np.abs(difference)),
        reason=_reason(history, difference, explained, lost),
        parts=(
            history.tables.accounts.id.values,
            sums.opening_cents,
            sums.ledger_total_cents,
            sums.balance_cents,
            difference,
            *parts.values(),
        ),
    )


def _written(history: History) -> tuple[Numbers, Numbers]:
    """Return, per account, what stale reads and balances without entries have added to its balance."""
    versions, installs, entries = history.versions, history.tables.installs, history.tables.entries
    old = history.cents(installs.old_balance_cents)[versions.install]
    change = history.cents(installs.new_balance_cents)[versions.install] - old
    stale = np.zeros_like(old)
    rows = versions.entry[versions.has_entry]
    recorded = entries.balance_before_cents.known
    before = history.cents(entries.balance_before_cents)[rows]
    computed = change[versions.has_entry] - history.cents(entries.amount_cents)[rows]
    absolute = before - old[versions.has_entry]
    stale[versions.has_entry] = absolute if recorded is None else np.where(recorded[rows], absolute, computed)
    alone = np.where(versions.has_entry, 0, change).astype(old.dtype)
    return added(stale, versions.starts), added(alone, versions.starts)


def _reason(history: History, difference: Numbers, explained: Numbers, lost: Numbers) -> str | None:
    """Say what is wrong with the first account that has something wrong, in the order of accounts."""
    accounts, versions = history.tables.accounts, history.versions
    keeps = ~accounts.derived.values
    links = broken_links(history)
    sums = broken_sums(history)
    checks: list[tuple[Flags, str]] = [
        (difference != explained, "the drift is {drift}, but the writes explain {explained}"),
        (
            ~versions.torn_accounts & (difference != -lost),
            (
                "the drift is {drift}, but the lost updates explain {lost}: an entry says it read a balance that was "
                "never installed"
            ),
        ),
    ]
    wrong = links.accounts | sums.accounts
    for found, _ in checks:
        wrong |= found & keeps
    if not wrong.any():
        return None
    account: NDArray[np.intp] = np.flatnonzero(wrong)
    first = int(account[0])
    told = links.reason(first) or sums.reason(first)
    if told is None:
        told = next(text for found, text in checks if found[first]).format(
            drift=money(int(difference[first])),
            explained=money(int(explained[first])),
            lost=money(-int(lost[first])),
        )
    return f"account {accounts.id.values[first]}: {told}"
