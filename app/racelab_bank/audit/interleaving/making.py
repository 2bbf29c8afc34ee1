"""Makes interleavings: finds the anomalies that can be shown, and puts what the two operations did into one order.

Times tell that order, as far as they are known. Only installs on one account have a certain one, the version order:
where clocks of two replicas disagree with it, it is kept, and a note says so. A read may come after an install that it
did not see, while that one had not been committed.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from racelab_bank.audit.detectors.lost_update import LostUpdate
from racelab_bank.audit.detectors.stale_guard import StaleGuard
from racelab_bank.audit.heads import NONE
from racelab_bank.audit.interleaving.casting import Cast, cast
from racelab_bank.audit.interleaving.constraining import constraints
from racelab_bank.audit.interleaving.noting import notes
from racelab_bank.audit.interleaving.ordering import in_order
from racelab_bank.audit.interleaving.preventing import Overlooking, Remedies, reasons
from racelab_bank.audit.interleaving.scene import Scene
from racelab_bank.audit.interleaving.values import Event, Interleaving, Kind, Lane, Reason
from racelab_bank.audit.registry import detectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from racelab_bank.audit.history import History
    from racelab_bank.audit.registry import Anomaly

#: What is shown first; other kinds follow in the order of their names.
_FIRST: Final = ("lost_update", "write_skew", "duplicate", "stale_guard")
#: The culprits of lost updates, who are shown beside their victims, and what is not about two operations.
NOT_SHOWN: Final = frozenset({"stale_install", "visible_overdraft", "hidden_overdraft", "outcome_mismatch"})


def interleavings(
    history: History,
    *,
    about: str | None = None,
    offset: int = 0,
    limit: int | None = None,
    remedies: Remedies | None = None,
) -> Iterator[Interleaving]:
    """Yield the interleavings of lost updates, write skews, duplicates, stale guards and others, in this order.

    `about` is an operation's key: only those in which it takes part. Anomalies of sums and of answers, and those that
    are judged only when a run has ended, are not among them. `remedies`: the strategies that are named as what would
    have prevented it.
    """
    yield from _made(history, _shown(history, about), remedies, offset, limit)


def page(
    history: History, *, about: str | None, offset: int, limit: int, remedies: Remedies | None = None
) -> tuple[int, list[Interleaving]]:
    """Return how many interleavings there are, and so many of them from `offset`; see `interleavings`."""
    shown = list(_shown(history, about))
    return sum(map(len, shown)), list(_made(history, shown, remedies, offset, limit))


def _made(
    history: History, shown: Iterable[Sequence[Anomaly]], remedies: Remedies | None, offset: int, limit: int | None
) -> Iterator[Interleaving]:
    left = sys.maxsize if limit is None else limit
    for found in shown:
        if not left:
            return
        for number in range(offset, min(len(found), offset + left)):
            yield interleave(history, found[number], remedies)
            left -= 1
        offset = max(0, offset - len(found))


def interleave(history: History, found: Anomaly, remedies: Remedies | None = None) -> Interleaving:
    """Show one anomaly of a history, of whatever kind; of one that names no entry only its sentence."""
    casted = cast(history, found)
    scene = Scene(history, casted)
    lanes = tuple(scene.lane(part) for part in casted.parts)
    seen = [one for lane, part in enumerate(casted.parts) for one in scene.seen(lane, part)]
    certain = list(constraints(seen, lanes))
    ordered = [seen[number] for number in in_order([one.event.at_microseconds for one in seen], certain)]
    places = {one.place for one in ordered if one.place is not None}
    mine = {one.place: one.event.lane for one in ordered if one.place is not None and one.event.kind is Kind.WRITE}
    numbers = {place: number for number, place in enumerate(scene.sorted(places))}
    events = [replace(one.event, version=None if one.place is None else numbers[one.place]) for one in ordered]
    return Interleaving(
        found.kind,
        found.sentence,
        lanes,
        tuple(scene.versions(places, mine)),
        tuple(events),
        _prevented(found.kind, casted, lanes, events, remedies),
        notes(history, found, casted, lanes, seen=seen, certain=certain),
    )


def _shown(history: History, about: str | None) -> Iterator[Sequence[Anomaly]]:
    """Yield the anomalies that can be shown, kind by kind; of one operation without making all the lost updates."""
    chosen = [one for one in detectors() if not one.final_only and one.kind not in NOT_SHOWN]
    chosen.sort(key=lambda one: (_FIRST.index(one.kind) if one.kind in _FIRST else len(_FIRST), one.kind))
    for one in chosen:
        found = one.found(history)
        if about is None:
            yield found
        elif one.kind == LostUpdate.kind:
            yield [found[number] for number in _lost_about(history, about)]
        else:
            yield [each for each in found if about in _who(history, each)]


def _who(history: History, found: Anomaly) -> Iterator[str]:
    """Yield the keys of the operations that take part in an anomaly."""
    yield from (entry.operation for entry in found.entries)
    if isinstance(found, StaleGuard):
        overlooked = cast(history, found).parts[0].entry
        if overlooked != NONE:
            yield history.tables.entries[overlooked].operation


def _lost_about(history: History, about: str) -> list[int]:
    """Return the numbers of the lost updates in which an operation takes part."""
    versions = history.versions
    rows = history.tables.entries.operation.where(about)
    if not rows.any():
        return []
    culprits = versions.entry[versions.culprits]
    part = rows[versions.entry[versions.victims]] | ((culprits != NONE) & rows[culprits])
    return np.flatnonzero(part).tolist()


def _prevented(
    kind: str, casted: Cast, lanes: Sequence[Lane], events: Sequence[Event], remedies: Remedies | None
) -> tuple[Reason, ...]:
    if casted.late is None:
        return ()
    late, early = lanes[casted.late], lanes[1 - casted.late]
    between = Overlooking(kind, early.short, late.short, late.strategy, casted.late, early.account)
    return reasons(between, events, remedies)
