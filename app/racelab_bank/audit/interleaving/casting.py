"""Who takes part in an anomaly: one or two legs of postings, and the accounts that it is about.

Of an anomaly that has no picture of its own, the first two of its entries take part; of one that names none, nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from racelab_bank.audit.detectors.duplicate import Duplicate
from racelab_bank.audit.detectors.lost_update import LostUpdate
from racelab_bank.audit.detectors.stale_guard import StaleGuard
from racelab_bank.audit.detectors.write_skew import WriteSkew
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interleaving.values import LOST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from racelab_bank.audit.history import History
    from racelab_bank.audit.registry import Anomaly
    from racelab_bank.audit.rows import Entry


@dataclass(frozen=True, slots=True)
class Part:
    """One lane: the row of its `entry` and its `version`, either of them `NONE` where there is none; how it ended."""

    entry: int
    version: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """The `parts`, whom the anomaly is about first, and the rows of its `accounts`. `others` take part beside them.

    `late` is the lane of whom the other one was overlooked by, None where that cannot be said.
    """

    parts: tuple[Part, ...]
    accounts: tuple[int, ...]
    late: int | None = None
    others: tuple[Entry, ...] = ()


def cast(history: History, found: Anomaly) -> Cast:
    """Say who takes part in an anomaly."""
    casting = _Casting(history)
    if isinstance(found, LostUpdate):
        return casting.lost_update(found)
    if isinstance(found, WriteSkew):
        return casting.pair((found.first, found.second), ("went through", "went through, too"))
    if isinstance(found, Duplicate):
        return casting.duplicate(found)
    if isinstance(found, StaleGuard):
        return casting.stale_guard(found)
    return casting.others(found)


class _Casting:
    def __init__(self, history: History) -> None:
        self._history = history
        self._versions = history.versions

    def lost_update(self, found: LostUpdate) -> Cast:
        victim = self._of(found.victim, LOST)
        number = int(np.searchsorted(self._versions.victims, victim.version))
        culprit = self._at(int(self._versions.culprits[number]), "wrote over it")
        return Cast((victim, culprit), self._accounts([victim]), late=1)

    def pair(self, entries: tuple[Entry, Entry], marks: tuple[str, str]) -> Cast:
        parts = tuple(self._of(entry, mark) for entry, mark in zip(entries, marks, strict=True))
        return Cast(parts, self._accounts(parts), late=1)

    def duplicate(self, found: Duplicate) -> Cast:
        marks = {found.first: "created one", found.account: "created another one"}
        ids = self._history.tables.accounts.id.values
        rows = (int(np.flatnonzero(ids == account)[0]) for account in marks)
        parts = tuple(
            self._at(int(self._versions.starts[row]), mark) for row, mark in zip(rows, marks.values(), strict=True)
        )
        if self._one_posting(parts):
            return Cast(parts[:1], self._accounts(parts))
        return Cast(parts, self._accounts(parts), late=1)

    def stale_guard(self, found: StaleGuard) -> Cast:
        checker = self._of(found.checker, "checked too early")
        overlooked = self._at(checker.version - found.overlooked, "overlooked")
        return Cast((overlooked, checker), self._accounts([checker]), late=1)

    def others(self, found: Anomaly) -> Cast:
        """Take the first entries, and the accounts that all of them touch; else those of the entries themselves."""
        entries = tuple(found.entries)
        parts = tuple(self._of(entry) for entry in entries[:2])
        touched = [self._touched(part.entry) for part in parts]
        shared = tuple(sorted(set.intersection(*touched))) if touched else ()
        return Cast(parts, shared or self._accounts(parts), others=entries[2:])

    def _one_posting(self, parts: tuple[Part, ...]) -> bool:
        """Whether all parts are legs of one posting: an operation can create two accounts of an owner by itself."""
        of_entry = self._history.postings.of_entry
        return len({int(of_entry[part.entry]) if part.entry != NONE else -2 - part.version for part in parts}) == 1

    def _of(self, entry: Entry, mark: str = "") -> Part:
        row = row_of(self._history, entry)
        return Part(row, int(self._versions.version_of_entry[row]), mark)

    def _at(self, version: int, mark: str) -> Part:
        return Part(int(self._versions.entry[version]), version, mark)

    def _accounts(self, parts: Iterable[Part]) -> tuple[int, ...]:
        of_entry, of_version = self._versions.entry_account, self._versions.account
        rows = (of_entry[part.entry] if part.version == NONE else of_version[part.version] for part in parts)
        return tuple(dict.fromkeys(int(row) for row in rows))

    def _touched(self, row: int) -> set[int]:
        """Return the accounts that a posting wrote or read."""
        posting = int(self._history.postings.of_entry[row])
        wrote = self._versions.entry_account[self._history.postings.rows(posting)]
        reads = self._history.dependencies.reads
        return {*wrote.tolist(), *reads.account[reads.posting == posting].tolist()}


def row_of(history: History, entry: Entry) -> int:
    """Return the row of an entry of this history."""
    entries = history.tables.entries
    high, low = np.uint64(entry.id.int >> 64), np.uint64(entry.id.int & (2**64 - 1))
    same = (entries.id.high == high) & (entries.id.low == low) & (entries.leg.values == entry.leg)
    return int(np.flatnonzero(same)[0])
