"""How a run's sums came to be: balance, ledger and drift over time, exactly, from the rows.

A version counts from when its entry was written, as its writer's clock told, but never before the versions that it
replaced: within an account, installs stay in their true order. One without an entry counts with the version before it.
The last point is the end of the run, and has the sums of the audit to the cent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from racelab_bank.audit.sums import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from racelab_bank.audit.columns import Numbers
    from racelab_bank.audit.history import History

#: How many points there are at most.
POINTS: Final = 120


@dataclass(frozen=True, slots=True)
class Point:
    """The sums of all accounts at one moment. `stale_installs` are those so far; times are since the first write."""

    at_milliseconds: float
    ledger_total_cents: int
    balance_cents: int
    absolute_drift_cents: int
    stale_installs: int

    def to_json(self) -> dict[str, Any]:
        """Return its member of the audit's `timeline`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Changes:
    """What was written, one element per change of a balance or a ledger, by account and within it in order of time."""

    account: NDArray[np.intp]
    microseconds: NDArray[np.int64]
    balance_cents: Numbers
    ledger_cents: Numbers
    stale: NDArray[np.int64]


def timeline(history: History, points: int = POINTS) -> list[Point]:
    """Return at most so many moments of a run, evenly spread over it, in ascending order.

    None where nothing was written. Linear in the number of rows.
    """
    changes = _changes(history)
    if not len(changes.microseconds):
        return []
    absolute = _absolute(changes)
    first = int(changes.microseconds.min())
    moments = _moments(first, int(changes.microseconds.max()), points)
    # Each change counts from the first moment on that is not before it.
    since = np.searchsorted(moments, changes.microseconds)
    end = history.sums
    sums = [
        _sums(changes.ledger_cents, since, whole(end.ledger_total_cents)),
        _sums(changes.balance_cents, since, whole(end.balance_cents)),
        _sums(absolute, since, whole(np.abs(end.balance_cents - end.ledger_total_cents))),
        _sums(changes.stale, since, int(changes.stale.sum())),
    ]
    return [Point(round((int(at) - first) / 1000, 3), *by_then) for at, *by_then in zip(moments, *sums, strict=True)]


def _moments(first: int, last: int, points: int) -> NDArray[np.int64]:
    return np.unique([first + (last - first) * step // (points - 1) for step in range(points)]).astype(np.int64)


def _changes(history: History) -> _Changes:
    versions, tables = history.versions, history.tables
    written = tables.entries.written_at_microseconds.values
    amounts = history.cents(tables.entries.amount_cents)
    changed = history.cents(tables.installs.new_balance_cents) - history.cents(tables.installs.old_balance_cents)
    entry = versions.entry
    named = versions.has_entry
    rows = entry[named]
    # Entries that are no version's: of derived accounts, whose balance they are, and torn ones.
    others = np.ones(len(amounts), np.bool_)
    others[rows] = False
    lone = np.flatnonzero(others)
    derived = tables.accounts.derived.values[versions.entry_account[lone]]
    first = int(written.min()) if len(written) else 0
    begun = np.full(len(entry), first, np.int64)
    begun[named] = written[rows]
    ledger = np.zeros(len(entry), amounts.dtype)
    ledger[named] = amounts[rows]
    account = np.concatenate((versions.account, versions.entry_account[lone])).astype(np.intp)
    microseconds = np.concatenate((_rising(begun, versions.starts), written[lone])).astype(np.int64)
    changes = (
        account,
        microseconds,
        np.concatenate((changed[versions.install], np.where(derived, amounts[lone], 0))),
        np.concatenate((ledger, amounts[lone])),
        np.concatenate((versions.stale.astype(np.int64), np.zeros(len(lone), np.int64))),
    )
    if not len(lone):
        return _Changes(*changes)
    order = np.lexsort((microseconds, account))
    return _Changes(*(change[order] for change in changes))


def _rising(values: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return, within each account, the highest value so far."""
    if (values[1:] >= values[:-1]).all():
        return values
    # By their ranks: of any times, these can be told apart by account without an overflow.
    ascending, rank = np.unique(values, return_inverse=True)
    before = np.repeat(np.arange(len(starts) - 1), np.diff(starts)) * len(ascending)
    raised: NDArray[np.int64] = ascending[np.maximum.accumulate(rank + before) - before]
    return raised


def _absolute(changes: _Changes) -> Numbers:
    """Return by how much each change moves its account's |drift|, which begins at 0."""
    moved = changes.balance_cents - changes.ledger_cents
    so_far = np.cumsum(moved)
    first = np.append(True, changes.account[1:] != changes.account[:-1])
    starts = np.flatnonzero(first)
    before = np.append(0, so_far)[starts]
    after = so_far - np.repeat(before, np.diff(np.append(starts, len(moved))))
    return np.asarray(np.abs(after) - np.abs(after - moved))


def _sums(changed: Numbers, since: NDArray[np.intp], end: int) -> list[int]:
    """Return what was reached by each moment; by the last one, it is `end`."""
    moved = np.zeros(int(since.max()) + 1, changed.dtype)
    np.add.at(moved, since, changed)
    so_far = np.cumsum(moved)
    return [end - int(so_far[-1]) + int(value) for value in so_far]
