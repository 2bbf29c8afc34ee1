"""What is certain of the order of two lanes' events, whatever clocks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from racelab_bank.audit.interleaving.ordering import Constraint
from racelab_bank.audit.interleaving.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from racelab_bank.audit.interleaving.scene import Seen
    from racelab_bank.audit.interleaving.values import Event, Lane


def constraints(seen: Sequence[Seen], lanes: Sequence[Lane]) -> Iterator[Constraint]:
    """Yield what is certain: a lane's own steps, as they stand there, and on each account the order of versions."""
    for first, one in enumerate(seen):
        for second, other in enumerate(seen):
            names = lanes[one.event.lane].short, lanes[other.event.lane].short
            if one.event.lane != other.event.lane:
                yield from _by_versions(first, second, one, other, name=names[0], later=names[1])
            elif first < second and not one.event.kind is other.event.kind is Kind.READ:
                told = _caller(one.event, other.event, names[0]) if second == first + 1 else ("", "")
                yield Constraint(first, second, told)


def _caller(one: Event, other: Event, name: str) -> tuple[str, str]:
    if one.clock is other.clock:
        return ("", "")
    what = "was sent after it had begun" if one.kind is Kind.SENT else "was answered before it had written"
    return (f"By the caller's clock {name} {what}, by ", ": that clock is not the replica's.")


def _by_versions(first: int, second: int, one: Seen, other: Seen, *, name: str, later: str) -> Iterator[Constraint]:
    """Yield whether an event comes before one of another lane, on the same account."""
    if one.place is None or other.place is None or one.place[0] != other.place[0]:
        return
    kinds = one.event.kind, other.event.kind
    if kinds == (Kind.WRITE, Kind.WRITE) and one.place < other.place:
        told = f"By the clocks {later} wrote ", f" earlier than {name}: the recorded order of versions is kept."
        yield Constraint(first, second, told)
    elif kinds == (Kind.READ, Kind.WRITE) and one.place < other.place and _visible(one, other):
        told = (
            f"By the clocks {name} read ",
            f" after {later} had written, and yet saw the balance before: the order of versions is kept.",
        )
        yield Constraint(first, second, told)
    elif kinds == (Kind.WRITE, Kind.READ) and one.place == other.place:
        told = f"By the clocks {later} read ", f" before {name} had written what it read: the write is shown first."
        yield Constraint(first, second, told)


def _visible(read: Seen, write: Seen) -> bool:
    """Whether the write would have been seen, had it been there; without times that is taken to be so."""
    return write.committed or read.event.at_microseconds is None or write.event.at_microseconds is None
