"""Takes from a history what the lanes of an interleaving show: facts, versions, reads, writes and answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interleaving.values import Clock, Event, Kind, Lane, Version
from racelab_bank.audit.versions import OPENING
from racelab_bank.audit.words import NOBODY, milliseconds, money, operation, shown, signed, who_and_what

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import History
    from racelab_bank.audit.interleaving.casting import Cast, Part
    from racelab_bank.audit.rows import Entry, Install, Operation


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, and the version that it is about: its account's row and its number; None where it is of none.

    `committed`: the write was visible as soon as it was there, in a transaction of its own.
    """

    event: Event
    place: tuple[int, int] | None = None
    committed: bool = False


class Scene:
    """What is to be shown of a history with this cast."""

    def __init__(self, history: History, cast: Cast) -> None:
        self._history = history
        self._cast = cast
        self._versions = history.versions

    def lane(self, part: Part) -> Lane:
        """Return the facts of a lane."""
        if part.entry == NONE:
            install = self._install(part.version)
            return Lane(NOBODY, None, None, part.mark, install.account, None, "", "", "", install.transaction)
        entry = self._history.tables.entries[part.entry]
        return Lane(
            name=who_and_what(entry),
            operation=entry.operation,
            entry=self._history.name(entry.id),
            mark=part.mark,
            account=entry.account,
            amount_cents=entry.amount_cents,
            strategy=entry.strategy,
            replica=entry.replica,
            worker=entry.worker,
            transaction=entry.transaction if part.version == NONE else self._install(part.version).transaction,
        )

    def seen(self, lane: int, part: Part) -> list[Seen]:
        """Return a lane's events in its own order: sent, reads, the window, writes, the answer."""
        if part.entry == NONE:
            return [self._wrote(lane, part.version, None)]
        posting = int(self._history.postings.of_entry[part.entry])
        legs = [
            (int(row), self._history.tables.entries[int(row)])
            for row in self._history.postings.rows(posting).tolist()
            if int(self._versions.entry_account[row]) in self._cast.accounts
        ]
        reads = list(dict.fromkeys([*self._computed_from(lane, legs), *self._looked(lane, posting, legs[0][1])]))
        writes = [self._written(lane, row, entry) for row, entry in legs]
        told = self._told(posting)
        sent = [] if told is None else [Seen(_sent(lane, told))]
        answer = [] if told is None else [Seen(_answer(lane, told))]
        return [*sent, *reads, *_window(lane, reads, writes), *writes, *answer]

    def _computed_from(self, lane: int, legs: list[tuple[int, Entry]]) -> Iterator[Seen]:
        """Yield what a posting's own balances were computed from."""
        for row, entry in legs:
            version = int(self._versions.version_of_entry[row])
            if entry.previous is not None and version != NONE:
                parent = int(self._versions.parents[version])
                yield self._read(
                    lane, entry, int(self._versions.entry_account[row]), parent, entry.balance_before_cents
                )
            elif entry.balance_before_cents is not None and version == NONE:
                reads = "sums up" if self._derived(row) else "reads"
                what = f"{reads} {money(entry.balance_before_cents)}{self._on(entry.account)}"
                yield Seen(_reading(lane, what, entry, entry.balance_before_cents))
            elif version != NONE and entry.read_at_microseconds and self._install(version).old_head is None:
                account = self._history.tables.accounts[int(self._versions.entry_account[row])]
                owner = "" if account.owner is None else f" of owner {account.owner}"
                yield Seen(_reading(lane, f"finds no account{owner}", entry, None))

    def _looked(self, lane: int, posting: int, entry: Entry) -> Iterator[Seen]:
        """Yield what a posting has read beside."""
        reads = self._history.dependencies.reads
        for number in np.flatnonzero(reads.posting == posting).tolist():
            account = int(reads.account[number])
            if account in self._cast.accounts:
                yield self._read(lane, entry, account, int(reads.version[number]), None)

    def _read(self, lane: int, entry: Entry, account: int, version: int, cents: int | None) -> Seen:
        id_ = self._history.tables.accounts[account].id
        place = (account, version) if version >= OPENING else None
        balance = self._balance(place) if cents is None and place is not None else cents
        source = "a version that was never there before" if place is None else self._writer(place)
        amount = "a balance" if balance is None else money(balance)
        event = _reading(lane, f"reads {amount}{self._on(id_)} from {source}", entry, balance)
        return Seen(replace(event, account=id_), place)

    def _written(self, lane: int, row: int, entry: Entry) -> Seen:
        version = int(self._versions.version_of_entry[row])
        if version != NONE:
            return self._wrote(lane, version, entry)
        adds = f"{signed(entry.amount_cents)}{self._on(entry.account)}"
        what = f"inserts {adds}" if self._derived(row) else f"records {adds}, which no balance ever was given"
        at = entry.written_at_microseconds or None
        return Seen(Event(lane, Kind.WRITE, what, at, account=entry.account))

    def _wrote(self, lane: int, version: int, entry: Entry | None) -> Seen:
        install = self._install(version)
        old, new, on = money(install.old_balance_cents), money(install.new_balance_cents), self._on(install.account)
        if install.old_head is None:
            what = f"creates account {install.account} with {new}"
        elif entry is not None and entry.previous is None:
            what = f"adds {signed(entry.amount_cents)}{on}: {old} ⇒ {new}"
        else:
            what = f"writes {new} over {old}{on}"
        event = Event(
            lane,
            Kind.WRITE,
            what,
            None if entry is None else entry.written_at_microseconds or None,
            account=install.account,
            balance_cents=install.new_balance_cents,
            replaced_cents=install.old_balance_cents,
            lost=bool(self._versions.lost[version]),
        )
        alone = entry is not None and entry.transaction != install.transaction
        return Seen(event, (int(self._versions.account[version]), version), committed=alone)

    def sorted(self, places: set[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return places account by account, each account's in version order."""
        return sorted(places, key=lambda one: (self._cast.accounts.index(one[0]), one[1]))

    def versions(self, places: set[tuple[int, int]], lanes: dict[tuple[int, int], int]) -> list[Version]:
        """Return the versions at these places, account by account; `lanes` says which lane has put which."""
        found = []
        for place in self.sorted(places):
            account, version = place
            number = 0 if version == OPENING else version - int(self._versions.starts[account]) + 1
            lost = version != OPENING and bool(self._versions.lost[version])
            id_ = self._history.tables.accounts[account].id
            balance = self._balance(place)
            found.append(Version(id_, number, balance, self._writer(place), lanes.get(place), lost))
        return found

    def _balance(self, place: tuple[int, int]) -> int:
        account, version = place
        if version != OPENING:
            return self._install(version).new_balance_cents
        begin, end = (int(one) for one in self._versions.starts[account : account + 2])
        first = None if begin == end else self._install(begin)
        return self._history.tables.accounts[account].opening_cents if first is None else first.old_balance_cents

    def _writer(self, place: tuple[int, int]) -> str:
        if place[1] == OPENING:
            return "the opening"
        entry = self._versions.entry_at(place[1])
        return operation(entry)

    def _told(self, posting: int) -> Operation | None:
        """Return the operation as its caller saw it: the one that names this entry, or else its key's only one."""
        operations, postings, keys = self._history.tables.operations, self._history.postings, self._history.keys
        rows = np.flatnonzero(postings.of_operation == posting)
        if not len(rows):
            key = keys.of_entry[postings.first[posting]]
            alone = np.count_nonzero(keys.of_entry[postings.first] == key) == 1 and key != keys.nobody
            rows = np.flatnonzero((keys.of_operation == key) & (postings.of_operation == NONE)) if alone else rows
        return operations[int(rows[0])] if len(rows) else None

    def _derived(self, row: int) -> bool:
        return bool(self._history.tables.accounts.derived.values[self._versions.entry_account[row]])

    def _install(self, version: int) -> Install:
        return self._history.tables.installs[int(self._versions.install[version])]

    def _on(self, account: int) -> str:
        """Name the account where there are several."""
        return f" on account {account}" if len(self._cast.accounts) > 1 else ""


def _reading(lane: int, what: str, entry: Entry, cents: int | None) -> Event:
    at = entry.read_at_microseconds or None
    return Event(lane, Kind.READ, what, at, account=entry.account, balance_cents=cents)


def _window(lane: int, reads: list[Seen], writes: list[Seen]) -> list[Seen]:
    """Return the time in which others could come between: from the last read to the first write."""
    read = max((one.event.at_microseconds for one in reads if one.event.at_microseconds), default=None)
    wrote = min((one.event.at_microseconds for one in writes if one.event.at_microseconds), default=None)
    if read is None or wrote is None or wrote <= read:
        return []
    what = f"has a window of {milliseconds(wrote - read)}"
    return [Seen(Event(lane, Kind.WINDOW, what, read, duration_microseconds=wrote - read))]


def _sent(lane: int, told: Operation) -> Event:
    return Event(lane, Kind.SENT, "is sent", told.begin_microseconds or None, Clock.CALLER)


def _answer(lane: int, told: Operation) -> Event:
    status = "" if told.status is None else f"{told.status} "
    said = shown(told.outcome or told.error or told.type)
    what = f"gets no answer: {said}" if told.type == "info" and told.status is None else f"is answered: {status}{said}"
    return Event(lane, Kind.ANSWER, what, told.end_microseconds or None, Clock.CALLER)
