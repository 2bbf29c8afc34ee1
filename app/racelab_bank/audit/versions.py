"""Every account's versions in their true order, and the lineage: which of them the balance still descends from.

Versions of all accounts are numbered through, account by account in the order of the accounts, and within an account in
the order of installs; `OPENING` is the one before an account's first. Each version's parent is the one whose balance it
was computed from: for an absolute entry the version it had read (`previous`), for a computed one what it replaced. The
lineage is the way from an account's last version along parents. An entry that is not on it has no part in the balance:
it is lost.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from racelab_bank.audit.heads import NONE, Heads
from racelab_bank.audit.interning import changes, first_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Flags, Numbers
    from racelab_bank.audit.history import History
    from racelab_bank.audit.rows import Entry

#: The version before the first install: the opening balance.
OPENING: Final = -1
#: The parent of an entry that says it read a head which was never installed before it.
UNKNOWN: Final = -2


class Versions:
    """A run's installs in version order, each with its entry. Arrays have one element per version if nothing is said.

    `account` is the row of its account, `install` of its install, `entry` of its entry, `NONE` where it has none.
    `starts` has one element per account and one more: an account's versions are `starts[a]:starts[a + 1]`.
    `version_of_entry` has one element per entry: `NONE` where it has no install. A *head* is the number of an id on an
    account: `new`, `old` and, per entry, `previous` and `own`; per account, `account_head`; per read, `seen`, and
    `reader_head`, the reader's own on the account that it read.
    """

    def __init__(self, history: History) -> None:
        tables = history.tables
        self._history = history
        self.entry_account = history.locate(tables.entries.account, lambda row: f"entry {_id(history, row)}")
        account = history.locate(tables.installs.account, lambda row: f"install {tables.installs.sequence.values[row]}")
        self.read_account = history.locate(
            tables.reads.account, lambda row: f"a read of entry {history.name(tables.reads[row].entry)}"
        )
        self.install = _order(account, tables.installs.sequence.values)
        self.account = account[self.install]
        self.starts = np.searchsorted(self.account, np.arange(len(tables.accounts) + 1))
        heads = Heads.of(tables, self.entry_account, account, self.read_account, self.install)
        self._heads = heads.count
        self.new, self.old = heads.new[self.install], heads.old[self.install]
        self.previous, self.own, self.account_head = heads.previous, heads.own, heads.account
        self.seen, self.reader_head = heads.seen, heads.reader
        self._entry_of_head = np.full(self._heads, NONE, np.int32)
        self._entry_of_head[self.own] = np.arange(len(self.own), dtype=np.int32)
        self._refuse_second_legs()
        numbers = np.arange(len(self.new), dtype=np.int32)
        first = first_rows(self.new, self._heads, NONE).astype(np.int32)
        self._last = np.full(self._heads, NONE, np.int32)
        self._last[self.new] = numbers
        # A head that is put back has its entry where it was installed first.
        self.entry = np.where(first[self.new] == numbers, self._entry_of_head[self.new], NONE)
        self.version_of_entry = first[self.own] if len(first) else np.empty(0, np.int32)

    def __len__(self) -> int:
        return len(self.new)

    def _refuse_second_legs(self) -> None:
        twice = self._entry_of_head[self.own] != np.arange(len(self.own))
        if twice.any():
            row = int(np.flatnonzero(twice)[0])
            account = self._history.tables.entries.account.values[row]
            raise ValueError(f"entry {_id(self._history, row)} has two legs on account {account}; one is allowed")

    @cached_property
    def first(self) -> Flags:
        """Whether it is its account's first version."""
        return changes(self.account)

    @cached_property
    def last(self) -> Flags:
        """Whether it is its account's last version."""
        return np.append(self.first[1:], True)[: len(self)]

    @cached_property
    def has_entry(self) -> Flags:
        """Whether it has an entry."""
        return self.entry != NONE

    @cached_property
    def absolute(self) -> Flags:
        """Whether its writer says which head it had read; the database computed the others."""
        return self.has_entry & (self.read != NONE)

    @cached_property
    def read(self) -> NDArray[np.int32]:
        """The head that its writer had read; `NONE` for a computed one, and without an entry."""
        return np.where(self.has_entry, self.previous[self.entry] if len(self.previous) else NONE, NONE)

    @cached_property
    def stale(self) -> Flags:
        """Whether its writer had read another head than the one that it replaced."""
        return self.absolute & (self.read != self.old)

    @cached_property
    def lone_entries(self) -> NDArray[np.intp]:
        """The rows of entries without an install, of accounts that keep a balance."""
        derived = self._history.tables.accounts.derived.values
        return np.flatnonzero((self.version_of_entry == NONE) & ~derived[self.entry_account])

    @cached_property
    def torn_accounts(self) -> Flags:
        """Per account, whether there is an install without an entry or an entry without an install.

        A derived account has no installs: an entry alone is all of the write.
        """
        torn = np.zeros(len(self.starts) - 1, np.bool_)
        torn[self.account[~self.has_entry]] = True
        torn[self.entry_account[self.lone_entries]] = True
        return torn & ~self._history.tables.accounts.derived.values

    @cached_property
    def opening_head(self) -> NDArray[np.int32]:
        """Per account, the head before its first version; `NONE` for one that a request created."""
        opening = self.account_head.copy()
        opening[self.account[self.first]] = self.old[self.first]
        return opening

    def entry_of_head(self, heads: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the rows of the entries that have these heads' ids on their accounts, `NONE` where there is none."""
        return np.where(heads == NONE, NONE, self._entry_of_head[heads] if self._heads else NONE)

    def last_before(
        self, heads: NDArray[np.int32], accounts: NDArray[np.intp], before: NDArray[np.int32]
    ) -> NDArray[np.int32]:
        """Return the last version that installed each head, of those before a version: `OPENING` for the first head.

        `UNKNOWN` where there is none. A head may be installed several times, by who puts a balance back.
        """
        if not len(heads):
            return np.empty(0, np.int32)
        found = self._last[heads]
        opening = np.where(self.opening_head[accounts] == heads, OPENING, UNKNOWN)
        late = np.flatnonzero(found >= before)
        found = np.where(found == NONE, opening, found)
        if len(late):
            found[late] = self._earlier(heads[late], before[late], opening[late])
        return found.astype(np.int32)

    def _earlier(
        self, heads: NDArray[np.int32], before: NDArray[np.int32], opening: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Do the same for heads that were installed at or after those versions, too."""
        count = len(self)
        ordered = np.sort(self.new.astype(np.int64) * count + np.arange(count))
        at = np.searchsorted(ordered, heads.astype(np.int64) * count + before) - 1
        found = ordered[np.maximum(at, 0)]
        return np.where((at >= 0) & (found // count == heads), found % count, opening)

    @cached_property
    def parents(self) -> NDArray[np.int32]:
        """Each version's parent: always an earlier version, `OPENING` or `UNKNOWN`.

        An install without an entry says nothing of what was read. When its head was installed before, a stale write has
        put that version back; otherwise it is taken to follow from what it replaced.
        """
        numbers = np.arange(len(self), dtype=np.int32)
        before = np.where(self.first, OPENING, numbers - 1).astype(np.int32)
        parents = before.copy()
        read = np.flatnonzero(self.stale)
        parents[read] = self.last_before(self.read[read], self.account[read], numbers[read])
        silent = np.flatnonzero(~self.has_entry)
        put_back = self.last_before(self.new[silent], self.account[silent], numbers[silent])
        parents[silent] = np.where(put_back == UNKNOWN, before[silent], put_back)
        return parents

    @cached_property
    def lineage(self) -> Flags:
        """Whether its account's balance descends from it."""
        from scipy.sparse import csr_array  # noqa: PLC0415 - it takes as long as all other imports together
        from scipy.sparse.csgraph import breadth_first_order  # noqa: PLC0415

        kept = np.zeros(len(self) + 1, np.bool_)
        # One more node than there are versions, from which all last versions are reached.
        parents, lasts = self.parents, np.flatnonzero(self.last)
        ends = np.append(np.cumsum(parents >= 0), np.count_nonzero(parents >= 0) + len(lasts))
        indices = np.append(parents[parents >= 0], lasts)
        ways = csr_array(
            (np.ones(len(indices), np.int8), indices.astype(np.int32), np.append(0, ends).astype(np.int32)),
            shape=(len(self) + 1, len(self) + 1),
        )
        kept[breadth_first_order(ways, len(self), return_predecessors=False)] = True
        return kept[:-1]

    @cached_property
    def lost(self) -> Flags:
        """Whether its entry is lost."""
        return self.has_entry & ~self.lineage

    @cached_property
    def victims(self) -> NDArray[np.intp]:
        """The versions whose entries are lost. One element per victim."""
        return np.flatnonzero(self.lost)

    @cached_property
    def culprits(self) -> NDArray[np.intp]:
        """The versions that made them so. One element per victim.

        That is the next version on the lineage: it follows from one before the victim, so its writer had read the
        balance before the victim's. An account's last version is always on it.
        """
        kept = np.flatnonzero(self.lineage)
        return kept[np.searchsorted(kept, self.victims)]

    @cached_property
    def _lost_before(self) -> NDArray[np.intp]:
        return np.append(0, np.cumsum(self.lost))

    def overwrote(self, version: int) -> NDArray[np.intp]:
        """Return the victims between what a version's writer had read and what it replaced, in version order.

        Nothing is said to lie between where the head that was read was never installed.
        """
        parent = int(self.parents[version])
        if parent == UNKNOWN:
            return self.victims[:0]
        read = int(self.starts[self.account[version]]) if parent == OPENING else parent + 1
        return self.victims[self._lost_before[read] : self._lost_before[version]]

    def entry_at(self, version: int) -> Entry | None:
        """Return the entry of a version."""
        row = int(self.entry[version])
        return None if row == NONE else self._history.tables.entries[row]


def _id(history: History, row: int) -> str:
    return history.name(history.tables.entries[row].id)


def _order(account: NDArray[np.intp], sequence: Numbers) -> NDArray[np.intp]:
    """Return the order of accounts, and of sequences within one."""
    if (sequence[1:] > sequence[:-1]).all():
        return np.argsort(account * len(account) + np.arange(len(account)))
    return np.lexsort((sequence, account))
