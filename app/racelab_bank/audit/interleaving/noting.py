"""What is to be said beside an interleaving: who else lay between, and where its times cannot be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from racelab_bank.audit.detectors.lost_update import LostUpdate
from racelab_bank.audit.interleaving.ordering import contradicted
from racelab_bank.audit.interleaving.values import Clock, Kind
from racelab_bank.audit.versions import OPENING
from racelab_bank.audit.words import count, listing, milliseconds, operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from racelab_bank.audit.history import History
    from racelab_bank.audit.interleaving.casting import Cast
    from racelab_bank.audit.interleaving.ordering import Constraint
    from racelab_bank.audit.interleaving.scene import Seen
    from racelab_bank.audit.interleaving.values import Lane
    from racelab_bank.audit.registry import Anomaly

#: How many writes in between are named.
_NAMED: Final = 5


def notes(
    history: History,
    found: Anomaly,
    casted: Cast,
    lanes: Sequence[Lane],
    *,
    seen: Sequence[Seen],
    certain: Sequence[Constraint],
) -> tuple[str, ...]:
    """Return the notes of an interleaving, each a sentence or two."""
    times = [one.event.at_microseconds for one in seen]
    return (
        *(_between(history, casted, lanes[1].short) if isinstance(found, LostUpdate) else ()),
        *_others(casted),
        *(f"{before}{milliseconds(by)}{after}" for (before, after), by in contradicted(times, certain)),
        *_uncommitted(seen, lanes),
        *_clocks(seen),
    )


def _between(history: History, casted: Cast, culprit: str) -> Iterator[str]:
    """Say how many others wrote between what the culprit had read and what it wrote, and how many of them are lost."""
    versions = history.versions
    victim, last = (part.version for part in casted.parts)
    parent = max(OPENING, int(versions.parents[last]))
    begin = int(versions.starts[versions.account[last]]) if parent == OPENING else parent + 1
    total = last - begin - 1
    if not total:
        return
    # Thousands may lie between: no more of them are made than are named.
    others = [version for version in range(begin, min(last, begin + _NAMED + 1)) if version != victim][:_NAMED]
    entries = (versions.entry_at(version) for version in others)
    names = [operation(entry) for entry in entries]
    told = listing(names) if total <= _NAMED else f"{', '.join(names)} and {count(total - len(names), 'other')}"
    lost = len(versions.overwrote(last)) - 1
    lies = "lies" if total == 1 else "lie"
    yield (
        f"{count(total, 'other write')} {lies} between what {culprit} had read and what it wrote: {told}"
        f"{_lost_too(lost, total)}."
    )


def _lost_too(lost: int, total: int) -> str:
    if not lost:
        return ""
    if total == 1:
        return ", which is lost, too"
    return f"; {'all' if lost == total else lost} of them {'is' if lost == 1 else 'are'} lost, too"


def _others(casted: Cast) -> Iterator[str]:
    if casted.others:
        names = listing([operation(entry) for entry in casted.others])
        yield f"There {'is' if len(casted.others) == 1 else 'are'} {names} beside the two."


def _uncommitted(seen: Sequence[Seen], lanes: Sequence[Lane]) -> Iterator[str]:
    """Say where an operation did not see what had been written before it read."""
    for read in seen:
        for write in seen:
            late = _unseen_for(read, write)
            if late > 0:
                reader, writer = lanes[read.event.lane].short, lanes[write.event.lane].short
                yield (
                    f"When {reader} read, {writer} had written {milliseconds(late)} before, and was not seen: "
                    "it had not committed yet, or their clocks differ."
                )


def _unseen_for(read: Seen, write: Seen) -> int:
    """Return for how many microseconds a write had been there that a read did not see, 0 where that is not known."""
    if (read.event.kind, write.event.kind) != (Kind.READ, Kind.WRITE) or read.event.lane == write.event.lane:
        return 0
    if read.place is None or write.place is None or read.place[0] != write.place[0] or write.committed:
        return 0
    at, written = read.event.at_microseconds, write.event.at_microseconds
    return at - written if at is not None and written is not None and read.place[1] < write.place[1] else 0


def _clocks(seen: Sequence[Seen]) -> Iterator[str]:
    """Say by which clocks times are, and where there are none."""
    known = [one.event for one in seen if one.event.at_microseconds is not None]
    if any(event.clock is Clock.CALLER for event in known):
        yield "~ is by the caller's clock, other times are by the replicas'; commits are not timed."
    if len(known) < len(seen):
        yield "Not all times are recorded: what has none stands where the order of versions allows it."
