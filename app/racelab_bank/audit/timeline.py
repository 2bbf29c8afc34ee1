"""One account's versions in their true order, and the lineage: which of them the balance still descends from.

Versions are numbered from 0; `OPENING` is the one before them. Each version's parent is the one whose balance it was
computed from: for an absolute entry the version it had read (`previous`), for a computed one what it replaced. The
lineage is the way from the last version along parents. An entry that is not on it has no part in the balance: it is
lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, compress
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from racelab_bank.audit.history import Account, Entry, Install

#: The version before the first install: the opening balance.
OPENING = -1
#: The parent of an entry that says it read a head which was never installed before it.
UNKNOWN = -2


@dataclass(frozen=True)
class Timeline:
    """An account's installs in version order, each with its entry; `None` where an install has none.

    `installs`, `matched` and `parents` have one element per version. `lone_entries` have no install.
    """

    account: Account
    installs: Sequence[Install]
    matched: Sequence[Entry | None]
    lone_entries: Sequence[Entry]
    parents: Sequence[int]

    @cached_property
    def torn(self) -> bool:
        """Whether there is an install without an entry or an entry without an install.

        A derived account has no installs: an entry alone is all of the write.
        """
        return not self.account.derived and (bool(self.lone_entries) or None in self.matched)

    @cached_property
    def amounts_cents(self) -> int:
        """The sum of all entries' amounts, with and without installs."""
        installed = sum(entry.amount_cents for entry in self.matched if entry is not None)
        return installed + sum(entry.amount_cents for entry in self.lone_entries)

    @property
    def ledger_total_cents(self) -> int:
        """What the account must hold: its opening and all of its entries."""
        return self.account.opening_cents + self.amounts_cents

    @property
    def balance_cents(self) -> int:
        """What the account holds; a derived one keeps no balance, and holds what its entries make."""
        return self.ledger_total_cents if self.account.derived else self.account.balance_cents

    @cached_property
    def lineage(self) -> bytearray:
        """One byte per version: 1 where the final balance descends from it."""
        lineage = bytearray(len(self.installs))
        version = len(self.installs) - 1
        while version >= 0:
            lineage[version] = 1
            version = self.parents[version]
        return lineage

    @cached_property
    def lost(self) -> bytearray:
        """One byte per version: 1 where its entry is lost."""
        return bytearray(entry is not None and not kept for entry, kept in zip(self.matched, self.lineage, strict=True))

    @cached_property
    def victims(self) -> list[Entry]:
        """The lost entries, in version order."""
        return [entry for entry in compress(self.matched, self.lost) if entry is not None]

    def blamed_victims(self) -> Iterator[tuple[Entry, Entry | None]]:
        """Yield each lost entry with the one that made it so, in version order.

        That is the next version on the lineage: it follows from one before the victim, so its writer had read the
        balance before the victim's. None where that version has no entry.
        """
        survivors = compress(self.matched, self.lineage)
        survivor = next(survivors, None)
        for kept, lost, entry in zip(self.lineage, self.lost, self.matched, strict=True):
            if kept:
                survivor = next(survivors, None)
            elif lost and entry is not None:
                yield entry, survivor

    @cached_property
    def lost_before(self) -> list[int]:
        """How many entries are lost before each version, and after the last: `victims[lost_before[v]:]` begin at v."""
        return list(accumulate(self.lost, initial=0))

    def overwrote(self, version: int) -> Sequence[Entry]:
        """Return the victims between what a version's writer had read and what it replaced, in version order.

        Nothing is said to lie between where the head that was read was never installed.
        """
        parent = self.parents[version]
        read = version if parent == UNKNOWN else parent + 1
        return self.victims[self.lost_before[read] : self.lost_before[version]]

    def stale_versions(self) -> Iterator[int]:
        """Yield the versions whose entry had not read what it replaced."""
        for version, (install, entry) in enumerate(zip(self.installs, self.matched, strict=True)):
            if entry is None or entry.previous is None:
                continue
            if install.old_head is None or entry.previous.int != install.old_head.int:
                yield version


def timelines(
    accounts: Iterable[Account], entries: Iterable[Entry], installs: Iterable[Install]
) -> Mapping[int, Timeline]:
    """Group rows by account and put each account's versions in order.

    Raises `ValueError` for a row of an account that is not among `accounts`, and for a second leg of one entry on one
    account.
    """
    known = {account.id: account for account in accounts}
    entries_of: dict[int, dict[int, Entry]] = {account: {} for account in known}
    installs_of: dict[int, list[Install]] = {account: [] for account in known}
    for entry in entries:
        if entry.account not in known:
            raise _stranger("entry", entry.id, entry.account)
        # A UUID hashes and compares in Python, its integer in C: five times faster.
        if entries_of[entry.account].setdefault(entry.id.int, entry) is not entry:
            raise ValueError(f"entry {entry.id} has two legs on account {entry.account}; one is allowed")
    for install in installs:
        if install.account not in known:
            raise _stranger("install", install.sequence, install.account)
        installs_of[install.account].append(install)
    return {
        account.id: _timeline(account, entries_of[account.id], installs_of[account.id]) for account in known.values()
    }


def _stranger(what: str, name: object, account: int) -> ValueError:
    return ValueError(
        f"{what} {name} is on account {account}, which is not among the accounts given; give all accounts of the run"
    )


def _timeline(account: Account, entries: dict[int, Entry], installs: list[Install]) -> Timeline:
    """Match installs with their entries; `entries` is used up and what stays in it has no install."""
    installs.sort(key=attrgetter("sequence"))
    matched = [entries.pop(install.new_head.int, None) for install in installs]
    return Timeline(account, installs, matched, list(entries.values()), _parents(installs, matched))


def _parents(installs: Sequence[Install], matched: Sequence[Entry | None]) -> list[int]:
    """Find each version's parent: it is always an earlier version, `OPENING` or `UNKNOWN`.

    An install without an entry says nothing of what was read. When its head was installed before, a stale write has
    put that version back; otherwise it is taken to follow from what it replaced.
    """
    opening = installs[0].old_head if installs else None
    versions = {} if opening is None else {opening.int: OPENING}
    parents = []
    for version, (install, entry) in enumerate(zip(installs, matched, strict=True)):
        if entry is None:
            parent = versions.get(install.new_head.int, version - 1)
        elif entry.previous is None:
            parent = version - 1
        else:
            parent = versions.get(entry.previous.int, UNKNOWN)
        parents.append(parent)
        versions[install.new_head.int] = version
    return parents
