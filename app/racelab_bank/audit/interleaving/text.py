"""An interleaving as text: one lane beside the other, in 100 columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from racelab_bank.audit.interleaving.printing import isolated, padded, width, wrapped
from racelab_bank.audit.interleaving.values import LOST
from racelab_bank.audit.words import clock, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from racelab_bank.audit.interleaving.values import Interleaving, Lane

_WIDTH: Final = 100
_MARGIN: Final = "  "
_UNIT: Final = "ms"


def as_text(drawn: Interleaving) -> str:
    """Return it as lines of at most 100 columns, with a line end."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(drawn))


def start(microseconds: int) -> str:
    """Return a Unix time as date and time in UTC; of what is no such time the number itself."""
    try:
        day = datetime.fromtimestamp(microseconds // 1_000_000, UTC).date()
    except (OverflowError, OSError, ValueError):
        return str(microseconds)
    return f"{day} {clock(microseconds)} UTC"


def event_text(drawn: Interleaving, number: int) -> str:
    """Return what is said at an event: what happened, whether it is lost, and which reasons are about it."""
    event = drawn.events[number]
    lost = f": {LOST}" if event.lost else ""
    marks = "".join(f"[{one}]" for one in drawn.at(number))
    return f"{event.what}{lost} {marks}".rstrip()


def facts(lane: Lane) -> str:
    """Return by what a lane's operation was performed."""
    parts = (lane.strategy, lane.worker and f"worker {lane.worker}", lane.transaction and f"xid {lane.transaction}")
    return ", ".join(shown(str(part)) for part in parts if part)


def _lines(drawn: Interleaving) -> Iterator[str]:
    yield from _paragraph("", drawn.sentence)
    yield ""
    if drawn.lanes:
        yield from _lanes(drawn)
        yield ""
    if drawn.begin_microseconds is not None:
        yield f"0.000 is {start(drawn.begin_microseconds)}."
    for number, one in enumerate(drawn.reasons, start=1):
        yield from _paragraph(f"[{number}] ", f"{one.words}.")
    for note in drawn.notes:
        yield from _paragraph("", note)


def _lanes(drawn: Interleaving) -> Iterator[str]:
    time = max(map(width, (_UNIT, *(drawn.offset(event) for event in drawn.events))))
    lane = (_WIDTH - time) // len(drawn.lanes) - len(_MARGIN)
    yield from _row("".rjust(time), lane, [one.name for one in drawn.lanes])
    if any(map(facts, drawn.lanes)):
        yield from _row("".rjust(time), lane, list(map(facts, drawn.lanes)))
    yield _MARGIN.join([_UNIT.rjust(time), *["─" * lane for _ in drawn.lanes]])
    for number, event in enumerate(drawn.events):
        cells = ["" for _ in drawn.lanes]
        cells[event.lane] = event_text(drawn, number)
        yield from _row(drawn.offset(event).rjust(time), lane, cells)
    if any(one.mark for one in drawn.lanes):
        yield from _row("".rjust(time), lane, [one.mark for one in drawn.lanes])


def _paragraph(mark: str, text: str) -> Iterator[str]:
    for number, line in enumerate(wrapped(text, _WIDTH - len(mark))):
        yield f"{' ' * len(mark) if number else mark}{isolated(line)}"


def _row(time: str, lane: int, cells: Sequence[str]) -> Iterator[str]:
    """Yield a row, on as many lines as its longest cell needs."""
    lines = [wrapped(cell, lane) for cell in cells]
    for number in range(max(map(len, lines))):
        parts = (one[number] if number < len(one) else "" for one in lines)
        yield _MARGIN.join([" " * len(time) if number else time, *(padded(part, lane) for part in parts)])
