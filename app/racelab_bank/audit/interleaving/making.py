"""Makes interleavings: the reads and installs of two operations in one order.

Times tell that order, as far as they are known. Only installs on one account have a certain one, the version order:
where clocks of two replicas disagree with it, it is kept, and a note says so. A read may come after an install that it
did not see, while that one had not been committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from racelab_bank.audit.detectors.duplicate import Duplicate, duplicates
from racelab_bank.audit.detectors.lost_update import LostUpdate, lost_updates
from racelab_bank.audit.detectors.write_skew import WriteSkew, write_skews
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interleaving.preventing import reason
from racelab_bank.audit.words import clock, count, milliseconds, money, operation, shown, signed, who_and_what

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from racelab_bank.audit.history import History
    from racelab_bank.audit.registry import Anomaly
    from racelab_bank.audit.rows import Entry, Install

LOST: Final = "LOST"


@dataclass(frozen=True, slots=True)
class Lane:
    """One operation: its `name`, what became of it, and facts about it. `answer` is what its caller was told."""

    name: str
    operation: str
    mark: str
    strategy: str
    replica: str
    worker: str
    transaction: int
    amount_cents: int
    answer: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """A `read` or a `write` in a lane, 0 or 1. `at_microseconds` is Unix time, None where it was not recorded."""

    lane: int
    kind: str
    what: str
    account: int
    at_microseconds: int | None


@dataclass(frozen=True, slots=True)
class Interleaving:
    """Two lanes and their events in order: `lanes[0]` is whom the anomaly is about."""

    kind: str
    sentence: str
    reason: str
    lanes: tuple[Lane, Lane]
    events: tuple[Event, ...]
    notes: tuple[str, ...]

    @property
    def begin_microseconds(self) -> int | None:
        """The earliest time that is known."""
        return min((event.at_microseconds for event in self.events if event.at_microseconds is not None), default=None)

    def offset(self, event: Event) -> str:
        """Return how long after the beginning an event was: `3.214 ms`; nothing where that is not known."""
        begin = self.begin_microseconds
        return "" if begin is None or event.at_microseconds is None else milliseconds(event.at_microseconds - begin)

    def to_json(self) -> dict[str, Any]:
        """Return it as the auditor lists it."""
        return {
            "kind": self.kind,
            "operations": [lane.operation for lane in self.lanes],
            "sentence": self.sentence,
            "reason": self.reason,
            "lanes": [{name: getattr(lane, name) for name in lane.__slots__} for lane in self.lanes],
            "events": [{name: getattr(event, name) for name in event.__slots__} for event in self.events],
            "notes": list(self.notes),
        }


def interleavings(
    history: History, *, about: str | None = None, offset: int = 0, limit: int | None = None
) -> Iterator[Interleaving]:
    """Yield the interleavings of lost updates, write skews and duplicates, in this order.

    `about` is an operation's key: only those in which it takes part. Anomalies of which one half is not recorded cannot
    be drawn, and are left out.
    """
    end = None if limit is None else offset + limit
    yield from islice(_all(history, about), offset, end)


def drawable(history: History) -> int:
    """Return how many interleavings there are: at most, as a half may not be recorded."""
    return len(lost_updates.find(history)) + len(write_skews.find(history)) + len(duplicates.find(history))


def _all(history: History, about: str | None) -> Iterator[Interleaving]:
    maker = _Maker(history)
    for found in _anomalies(history, about):
        if about is not None and about not in (entry.operation for entry in found.entries):
            continue
        made = maker.make(found)
        if made is not None:
            yield made


def _anomalies(history: History, about: str | None) -> Iterator[Anomaly]:
    lost = lost_updates.find(history)
    if about is None:
        yield from lost
    else:
        yield from (lost[number] for number in _lost_about(history, about))
    yield from write_skews.find(history)
    yield from duplicates.find(history)


def _lost_about(history: History, about: str) -> list[int]:
    """Return the numbers of the lost updates in which an operation takes part, without making all of them."""
    versions = history.versions
    rows = history.tables.entries.operation.where(about)
    if not rows.any():
        return []
    culprits = versions.entry[versions.culprits]
    part = rows[versions.entry[versions.victims]] | ((culprits != NONE) & rows[culprits])
    return np.flatnonzero(part).tolist()


class _Maker:
    def __init__(self, history: History) -> None:
        self._history = history

    def make(self, found: Anomaly) -> Interleaving | None:
        """Return the interleaving of an anomaly; None where one half is not recorded."""
        if isinstance(found, LostUpdate) and found.culprit is not None:
            return self._lost_update(found, found.victim, found.culprit)
        if isinstance(found, WriteSkew):
            return self._pair(found, found.first, found.second, "went through", "went through, too")
        if isinstance(found, Duplicate) and found.first_creator is not None and found.surplus_creator is not None:
            return self._pair(found, found.first_creator, found.surplus_creator, "created one", "created another one")
        return None

    def _lost_update(self, found: LostUpdate, victim: Entry, culprit: Entry) -> Interleaving:
        versions = self._history.versions
        early, late = (self._version(entry) for entry in (victim, culprit))
        between = late - early - 1
        notes = [f"{count(between, 'write')} of others came between the two."] if between else []
        if bool(versions.stale[late]) and int(versions.parents[late]) + 1 < early < late:
            notes.append(f"{operation(culprit)} overwrote more than {operation(victim)}: all since what it had read.")
        return self._drawn(found, (victim, culprit), (LOST, "wrote over it"), notes)

    def _pair(self, found: Anomaly, first: Entry, second: Entry, *marks: str) -> Interleaving:
        return self._drawn(found, (first, second), (marks[0], marks[1]), [])

    def _drawn(
        self, found: Anomaly, entries: tuple[Entry, Entry], marks: tuple[str, str], notes: list[str]
    ) -> Interleaving:
        events, disagree = _in_order([event for lane in (0, 1) for event in self._events(lane, entries[lane])])
        if disagree:
            notes.append("The replicas' clocks disagree with the version order, which was recorded: it is kept.")
        lanes = [self._lane(entry, mark) for entry, mark in zip(entries, marks, strict=True)]
        early, late = (operation(entry) for entry in entries)
        told = reason(found.kind, late, early)
        return Interleaving(found.kind, found.sentence, told, (lanes[0], lanes[1]), tuple(events), tuple(notes))

    def _events(self, lane: int, entry: Entry) -> list[tuple[int, Event]]:
        """Return a lane's events, writes with their versions, reads with `NONE`."""
        events = []
        read_at = entry.read_at_microseconds or None
        if entry.balance_before_cents is not None and entry.previous is not None:
            seen = f"reads {money(entry.balance_before_cents)}"
            events.append((NONE, Event(lane, "read", seen, entry.account, read_at)))
        events += [(NONE, Event(lane, "read", what, account, read_at)) for account, what in self._looked(entry)]
        version = self._version(entry)
        if version != NONE:
            install = self._install(version)
            events.append((version, Event(lane, "write", _written(entry, install), entry.account, _at(entry))))
        return events

    def _looked(self, entry: Entry) -> Iterator[tuple[int, str]]:
        """Yield what else the operation has read: the account, and what it saw there."""
        reads = self._history.dependencies.reads
        posting = self._history.postings.of_entry[self._row(entry)]
        for number in np.flatnonzero(reads.posting == posting).tolist():
            account = self._history.tables.accounts[int(reads.account[number])]
            version = int(reads.version[number])
            cents = account.opening_cents if version < 0 else self._install(version).new_balance_cents
            yield account.id, f"reads {money(cents)} on account {account.id}"

    def _version(self, entry: Entry) -> int:
        """Return the version that an entry put on its account, `NONE` without one."""
        return int(self._history.versions.version_of_entry[self._row(entry)])

    def _row(self, entry: Entry) -> int:
        entries = self._history.tables.entries
        high, low = np.uint64(entry.id.int >> 64), np.uint64(entry.id.int & (2**64 - 1))
        same = (entries.id.high == high) & (entries.id.low == low) & (entries.leg.values == entry.leg)
        return int(np.flatnonzero(same)[0])

    def _install(self, version: int) -> Install:
        return self._history.tables.installs[int(self._history.versions.install[version])]

    def _lane(self, entry: Entry, mark: str) -> Lane:
        return Lane(
            name=who_and_what(entry),
            operation=entry.operation,
            mark=mark,
            strategy=entry.strategy,
            replica=entry.replica,
            worker=entry.worker,
            transaction=entry.transaction,
            amount_cents=entry.amount_cents,
            answer=self._answer(entry),
        )

    def _answer(self, entry: Entry) -> str | None:
        """Say what the caller was told, and how long it took, on the caller's own clock."""
        operations = self._history.tables.operations
        posting = self._history.postings.of_entry[self._row(entry)]
        for row in np.flatnonzero(self._history.postings.of_operation == posting).tolist()[:1]:
            told = operations[row]
            status = "" if told.status is None else f"{told.status} "
            took = milliseconds(told.end_microseconds - told.begin_microseconds)
            what = shown(told.outcome or told.error or told.type)
            return f"{status}{what} after {took}, sent at {clock(told.begin_microseconds)}"
        return None


def _written(entry: Entry, install: Install) -> str:
    if install.old_head is None:
        return f"creates account {install.account} with {money(install.new_balance_cents)}"
    if entry.previous is None:
        old, new = money(install.old_balance_cents), money(install.new_balance_cents)
        return f"adds {signed(entry.amount_cents)}: {old} ⇒ {new}"
    return f"writes {money(install.new_balance_cents)} over {money(install.old_balance_cents)}"


def _at(entry: Entry) -> int | None:
    return entry.written_at_microseconds or None


def _in_order(events: Sequence[tuple[int, Event]]) -> tuple[list[Event], bool]:
    """Order events by time, writes on one account by version; say whether times and versions disagree.

    An operation reads before it writes; where times are not known, both read before either writes.
    """
    reads = [event for version, event in events if version == NONE]
    writes = [event for version, event in sorted((one for one in events if one[0] != NONE), key=lambda one: one[0])]
    one_account = len({event.account for event in writes}) < len(writes)
    if not one_account and all(event.at_microseconds is not None for event in writes):
        writes.sort(key=lambda event: event.at_microseconds or 0)
    times = [event.at_microseconds for event in writes if event.at_microseconds is not None]
    disagree = times != sorted(times)
    if disagree or any(event.at_microseconds is None for event in (*reads, *writes)):
        return [*reads, *writes], disagree
    ordered = sorted(reads, key=lambda event: event.at_microseconds or 0)
    return sorted([*ordered, *writes], key=lambda event: event.at_microseconds or 0), False
