"""An interleaving as text: two lanes side by side, in 100 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from racelab_bank.audit.words import clock, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.interleaving.making import Interleaving, Lane

_TIME: Final = 14
_LANE: Final = 41
_WIDTH: Final = _TIME + 2 * (_LANE + 2)


def as_text(drawn: Interleaving) -> str:
    """Return it as lines of at most 100 columns, with a line end."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(drawn))


def _lines(drawn: Interleaving) -> Iterator[str]:
    yield from textwrap.wrap(drawn.sentence, _WIDTH)
    yield ""
    yield from _row("", *(lane.name for lane in drawn.lanes))
    facts = [_facts(lane) for lane in drawn.lanes]
    if any(facts):
        yield from _row("", *facts)
    yield f"{'-' * (_TIME - 2)}  {'-' * _LANE}  {'-' * _LANE}"
    begin = drawn.begin_microseconds
    if begin is not None:
        yield f"from {clock(begin)} UTC"
    for event in drawn.events:
        cells = ["", ""]
        cells[event.lane] = event.what
        yield from _row(drawn.offset(event).rjust(_TIME - 2), *cells)
    yield from _row("", *(lane.mark for lane in drawn.lanes))
    yield ""
    for lane in drawn.lanes:
        if lane.answer is not None:
            yield from textwrap.wrap(f"{lane.name} was answered: {lane.answer} (by the caller's clock).", _WIDTH)
    for told in (drawn.reason, *drawn.notes):
        yield from textwrap.wrap(told, _WIDTH)


def _facts(lane: Lane) -> str:
    facts = (lane.strategy, lane.worker and f"worker {lane.worker}", lane.transaction and f"xid {lane.transaction}")
    return ", ".join(shown(str(fact)) for fact in facts if fact)


def _row(time: str, left: str, right: str) -> Iterator[str]:
    """Yield a row, on as many lines as its longer cell needs."""
    cells = [textwrap.wrap(cell, _LANE) or [""] for cell in (left, right)]
    for number in range(max(map(len, cells))):
        one, other = (cell[number] if number < len(cell) else "" for cell in cells)
        yield f"{time if number == 0 else '':<{_TIME - 2}}  {one:<{_LANE}}  {other}"
