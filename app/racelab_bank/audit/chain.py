"""Whether an account's installs are one unbroken chain from its opening to its head, and show what their entries say.

Each check looks at all accounts at once and is asked for its words only where something is wrong. `broken_sum` and
`unexpected_install` check single rows, for the live audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.words import money, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry, Install


@dataclass(frozen=True, slots=True)
class Broken:
    """On which `accounts` something is wrong, by their rows, and how to tell what."""

    accounts: Flags
    tell: Callable[[int], str | None]

    def reason(self, account: int) -> str | None:
        """Say what is wrong with an account, None when nothing is."""
        return self.tell(account) if self.accounts[account] else None


def broken_links(history: History) -> Broken:
    """Find where the installs are not one chain from the opening to the account, or are where none may be."""
    versions, accounts = history.versions, history.tables.accounts
    derived = accounts.derived.values
    some = np.diff(versions.starts) > 0
    beginning = np.where(some, versions.opening_head, versions.account_head)
    orphaned = versions.entry_of_head(beginning) != NONE
    heads = _broken_heads(history)
    balances = _broken_balances(history)
    last_head = versions.opening_head.copy()
    last_head[versions.account[versions.last]] = versions.new[versions.last]
    last_balance = history.sums.opening_cents.copy()
    new = history.cents(history.tables.installs.new_balance_cents)[versions.install]
    last_balance[versions.account[versions.last]] = new[versions.last]
    other_head = last_head != versions.account_head
    other_balance = last_balance != history.cents(accounts.balance_cents)
    in_between = _accounts_of(history, heads | balances)
    wrong = np.where(derived, some, orphaned | in_between | other_head | other_balance)

    def tell(account: int) -> str | None:
        begin, end = (int(one) for one in versions.starts[account : account + 2])
        if derived[account]:
            return unexpected_install(history.tables.installs[int(versions.install[begin])])
        row = accounts[account]
        if orphaned[account]:
            first = history.tables.installs[int(versions.install[begin])].old_head if some[account] else row.head
            return f"the first version replaced entry {history.name(first)}, whose own install is missing"
        for version in (np.flatnonzero((heads | balances)[begin:end]) + begin).tolist():
            return _tell_link(history, version, head=bool(heads[version]))
        if other_head[account]:
            return f"the account's head is {history.name(row.head)}, which is not the last install"
        said, put = money(row.balance_cents), money(int(last_balance[account]))
        return f"the account says {said}, but the last install put {put}"

    return Broken(wrong, tell)


def _tell_link(history: History, version: int, *, head: bool) -> str:
    install = history.tables.installs[int(history.versions.install[version])]
    if head:
        replaced = history.name(install.old_head)
        return f"install {install.sequence} replaced head {replaced}, which is not the one before it"
    there = history.sums.opening_cents[history.versions.account[version]]
    if not history.versions.first[version]:
        there = history.tables.installs[int(history.versions.install[version - 1])].new_balance_cents
    return broken_balance(install, int(there))


def broken_balance(install: Install, there_cents: int) -> str:
    """Say that an install replaced another balance than the one that was there."""
    return (
        f"install {install.sequence} replaced {money(install.old_balance_cents)}, "
        f"but {money(there_cents)} was there before it"
    )


def _broken_heads(history: History) -> Flags:
    """Return the versions that replaced another head than that of the version before."""
    versions = history.versions
    broken = np.zeros(len(versions), np.bool_)
    broken[1:] = (versions.old[1:] != versions.new[:-1]) & ~versions.first[1:]
    return broken


def _broken_balances(history: History) -> Flags:
    """Return the versions that replaced another balance than that of the version before, or than the opening."""
    versions, installs = history.versions, history.tables.installs
    old = history.cents(installs.old_balance_cents)[versions.install]
    there = np.roll(history.cents(installs.new_balance_cents)[versions.install], 1)
    there[versions.first] = history.sums.opening_cents[versions.account[versions.first]]
    return np.asarray(old != there, np.bool_)


def broken_sums(history: History) -> Broken:
    """Find where an entry and the balance it installed contradict each other."""
    versions, entries, installs = history.versions, history.tables.entries, history.tables.installs
    matched = np.flatnonzero(versions.has_entry)
    rows = versions.entry[matched]
    new = history.cents(installs.new_balance_cents)[versions.install[matched]]
    old = history.cents(installs.old_balance_cents)[versions.install[matched]]
    recorded = entries.balance_before_cents.known
    before = history.cents(entries.balance_before_cents)[rows]
    base = before if recorded is None else np.where(recorded[rows], before, old)
    expected = base + history.cents(entries.amount_cents)[rows]
    contradicts = np.asarray(new != expected, np.bool_)
    if len(entries):
        after = history.cents(entries.balance_after_cents)[rows]
        contradicts |= everything(entries.balance_after_cents)[rows] & np.asarray(after != expected, np.bool_)
    wrong: NDArray[np.intp] = matched[contradicts]

    def tell(account: int) -> str | None:
        version = int(wrong[versions.account[wrong] == account][0])
        install = history.tables.installs[int(versions.install[version])]
        return broken_sum(install, history.tables.entries[int(versions.entry[version])], history.name)

    flags = np.zeros(len(versions), np.bool_)
    flags[wrong] = True
    return Broken(_accounts_of(history, flags) & ~history.tables.accounts.derived.values, tell)


def _accounts_of(history: History, versions: Flags) -> Flags:
    accounts = np.zeros(len(history.tables.accounts), np.bool_)
    accounts[history.versions.account[versions]] = True
    return accounts


def unexpected_install(install: Install) -> str:
    """Say that a derived account has an install."""
    return (
        f"it keeps no balance of its own, but install {install.sequence} put {money(install.new_balance_cents)} on it"
    )


def broken_sum(install: Install, entry: Entry, name: Callable[..., str] = str) -> str | None:
    """Say how an entry and the balance it installed contradict each other, or None when they agree."""
    if entry.balance_before_cents is None:
        change = install.new_balance_cents - install.old_balance_cents
        if change != entry.amount_cents:
            return f"entry {name(entry.id)} is {signed(entry.amount_cents)}, but its install changed {signed(change)}"
        return None
    expected = entry.balance_before_cents + entry.amount_cents
    if install.new_balance_cents != expected:
        return (
            f"entry {name(entry.id)} computed {money(expected)} from what it read, "
            f"but its install put {money(install.new_balance_cents)}"
        )
    if entry.balance_after_cents is not None and entry.balance_after_cents != expected:
        return f"entry {name(entry.id)} computed {money(expected)}, but says {money(entry.balance_after_cents)}"
    return None
