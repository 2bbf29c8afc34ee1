"""Accounts that back each other: those of one owner are one group, every other account is a group of its own.

A floor is kept by a group: an owner's account may be below its own minimum while another one makes up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.sums import added
from racelab_bank.audit.words import listing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags, Numbers
    from racelab_bank.audit.history import History


@dataclass(frozen=True, slots=True)
class Group:
    """The accounts of `owner`, or one account without an owner: their ids in ascending order, and their sums."""

    owner: int | None
    accounts: tuple[int, ...]
    balance_cents: int
    ledger_total_cents: int
    minimum_cents: int

    @property
    def account(self) -> int:
        """The id of the first account: what is found about the group is listed under it."""
        return self.accounts[0]

    @property
    def shared(self) -> bool:
        """Whether there is more than one account."""
        return len(self.accounts) > 1

    @property
    def name(self) -> str:
        """What the group is called in a sentence: `account 5`, `owner 7's accounts 17 and 18`."""
        return f"owner {self.owner}'s accounts {listing(self.accounts)}" if self.shared else f"account {self.account}"


class Groups:
    """All groups, in ascending order of their first accounts' ids; arrays have one element per group.

    `of` has one element per account: its group. `members` are rows of accounts in that order, by ids within a group,
    and a group's are `starts[g]:starts[g + 1]`.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        accounts = history.tables.accounts
        owned = everything(accounts.owner)
        by_id = np.argsort(accounts.id.values, kind="stable")
        # Owners and accounts without one are told apart by the second number.
        names = np.stack([np.where(owned, accounts.owner.values, accounts.id.values), owned])
        _, first, group = np.unique(names[:, by_id], axis=1, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.intp)
        rank[np.argsort(first, kind="stable")] = np.arange(len(first))
        self.of = np.empty(len(by_id), np.intp)
        self.of[by_id] = rank[group.reshape(-1)]
        self.members = by_id[np.argsort(self.of[by_id], kind="stable")]
        self.starts = np.searchsorted(self.of[self.members], np.arange(len(first) + 1))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> Group:
        accounts = self._history.tables.accounts
        rows = self.members[self.starts[number] : self.starts[number + 1]]
        owner = accounts[int(rows[0])].owner
        return Group(
            owner,
            tuple(accounts.id.values[rows].tolist()),
            int(self.balance_cents[number]),
            int(self.ledger_total_cents[number]),
            int(self.minimum_cents[number]),
        )

    @cached_property
    def shared(self) -> Flags:
        """Whether there is more than one account."""
        return np.diff(self.starts) > 1

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """The row of the first account."""
        return self.members[self.starts[:-1]]

    @cached_property
    def births(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The versions that created accounts for owners, and for each which of them was its owner's first one.

        They are in the order of groups, and of installs within a group.
        """
        history, versions = self._history, self._history.versions
        births = np.flatnonzero(versions.first & (versions.old == NONE))
        births = births[everything(history.tables.accounts.owner)[versions.account[births]]]
        sequence = history.tables.installs.sequence.values[versions.install[births]]
        births = births[np.lexsort((sequence, self.of[versions.account[births]]))]
        group = self.of[versions.account[births]]
        return births, np.searchsorted(group, group)

    @cached_property
    def balance_cents(self) -> Numbers:
        """What the accounts hold together."""
        return self._together(self._history.sums.balance_cents)

    @cached_property
    def ledger_total_cents(self) -> Numbers:
        """What the accounts must hold together."""
        return self._together(self._history.sums.ledger_total_cents)

    @cached_property
    def minimum_cents(self) -> Numbers:
        """What the accounts may not fall below together."""
        return self._together(self._history.minimums_cents)

    def _together(self, per_account: Numbers) -> Numbers:
        return added(per_account[self.members], self.starts)
