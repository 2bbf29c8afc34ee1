"""What the accounts say and what their entries make of them, account by account."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Numbers
    from racelab_bank.audit.history import History


class Sums:
    """Amounts in cents, one element per account, in the order of the table of accounts."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._accounts = history.tables.accounts

    @cached_property
    def opening_cents(self) -> Numbers:
        """What the accounts were opened with."""
        return self._history.cents(self._accounts.opening_cents)

    @cached_property
    def amounts_cents(self) -> Numbers:
        """The sum of all entries' amounts, with and without installs."""
        amounts = self._history.cents(self._history.tables.entries.amount_cents)
        return by_account(self._history.versions.entry_account, amounts, len(self._accounts))

    @cached_property
    def ledger_total_cents(self) -> Numbers:
        """What the accounts must hold: their openings and all of their entries."""
        return self.opening_cents + self.amounts_cents

    @cached_property
    def balance_cents(self) -> Numbers:
        """What the accounts hold; a derived one keeps no balance, and holds what its entries make."""
        balance = self._history.cents(self._accounts.balance_cents)
        return np.where(self._accounts.derived.values, self.ledger_total_cents, balance)


def added(values: Numbers, starts: NDArray[np.intp]) -> Numbers:
    """Return the sum of each `values[starts[i]:starts[i + 1]]`, exactly."""
    running = np.concatenate([values[:0], np.zeros(1, values.dtype), np.cumsum(values, dtype=values.dtype)])
    return running[starts[1:]] - running[starts[:-1]]


def by_account(accounts: NDArray[np.intp], values: Numbers, count: int) -> Numbers:
    """Return the sum of the values of each of `count` accounts, exactly."""
    if (accounts[1:] < accounts[:-1]).any():
        order = np.argsort(accounts, kind="stable")
        accounts, values = accounts[order], values[order]
    return added(values, np.searchsorted(accounts, np.arange(count + 1)))


def whole(values: Numbers) -> int:
    """Return the sum of all, as Python's own number."""
    return int(values.sum()) if len(values) else 0
