"""An interleaving as SVG: two lanes from top to bottom, self-contained, without script or style sheet.

Colours are attributes and `currentColor`, so that it is readable on dark and light, and under a policy that allows no
inline style.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from racelab_bank.audit.interleaving.making import LOST
from racelab_bank.audit.words import clock, shown

if TYPE_CHECKING:
    from racelab_bank.audit.interleaving.making import Event, Interleaving

_WIDTH: Final = 880
_LANES: Final = (150, 520)
_TOP: Final = 76
_STEP: Final = 46
_CHARACTERS: Final = 42
#: Readable on white and on black: at least 4.5 to 1 on both is impossible for text, so text is always currentColor.
_RED: Final = "#d9480f"
_BLUE: Final = "#1c7ed6"


def as_svg(drawn: Interleaving) -> str:
    """Return it as an SVG document of its own size; texts of users are escaped."""
    notes = [line for told in (drawn.sentence, drawn.reason, *drawn.notes) for line in textwrap.wrap(told, 118)]
    bottom = _TOP + _STEP * len(drawn.events) + 10
    height = bottom + 44 + 18 * len(notes)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH),
            "height": str(height), "role": "img", "font-family": "system-ui, sans-serif", "font-size": "13",
            "fill": "currentColor", "aria-labelledby": "title description",
        },
    )  # fmt: skip
    ET.SubElement(root, "title", {"id": "title"}).text = drawn.sentence
    said = "; ".join(f"{drawn.lanes[event.lane].name} {event.what} {drawn.offset(event)}" for event in drawn.events)
    ET.SubElement(root, "desc", {"id": "description"}).text = said
    begin = drawn.begin_microseconds
    if begin is not None:
        _text(root, 8, 24, f"{clock(begin)} UTC", size=11)
    for number, lane in enumerate(drawn.lanes):
        x = _LANES[number]
        lost = lane.mark == LOST
        _text(root, x + 14, 24, _short(lane.name), weight="600")
        facts = (lane.strategy, lane.worker and f"worker {lane.worker}")
        _text(root, x + 14, 42, shown(", ".join(fact for fact in facts if fact)), size=11)
        attributes = {"stroke": "currentColor", "stroke-width": "1.5", "stroke-opacity": "0.5"}
        _line(root, (x, 14), (x, bottom), **attributes)
        _text(root, x + 14, bottom + 16, lane.mark, weight="600", fill=_RED if lost else "currentColor")
    for number, event in enumerate(drawn.events):
        _event(root, drawn, event, _TOP + _STEP * number)
    for number, line in enumerate(notes):
        _text(root, 8, bottom + 48 + 18 * number, line, size=12)
    return ET.tostring(root, encoding="unicode")


def _event(root: ET.Element, drawn: Interleaving, event: Event, y: int) -> None:
    x, lost = _LANES[event.lane], drawn.lanes[event.lane].mark == LOST and event.kind == "write"
    colour = _RED if lost else _BLUE
    shape = {"cx": str(x), "cy": str(y), "r": "7", "stroke": colour, "stroke-width": "2"}
    # A read is a ring, a write is a disc: not only the colour tells them apart.
    ET.SubElement(root, "circle", shape | {"fill": colour if event.kind == "write" else "none"})
    _text(root, x + 14, y + 5, _short(event.what), strike=lost)
    _text(root, 8, y + 5, drawn.offset(event), size=11)
    if event.kind == "write" and event.lane == 1 and drawn.lanes[0].mark == LOST:
        overwritten = max(
            (number for number, one in enumerate(drawn.events) if one.lane == 0 and one.kind == "write"), default=None
        )
        if overwritten is not None:
            there = (_LANES[0] + 9, _TOP + _STEP * overwritten + 4)
            _line(root, (x - 9, y - 2), there, stroke=_RED, **{"stroke-width": "1.5", "stroke-dasharray": "5 4"})


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _line(root: ET.Element, start: tuple[int, int], end: tuple[int, int], **attributes: str) -> None:
    places = {"x1": str(start[0]), "y1": str(start[1]), "x2": str(end[0]), "y2": str(end[1])}
    ET.SubElement(root, "line", places | attributes)


def _text(
    root: ET.Element,
    x: int,
    y: int,
    text: str,
    *,
    size: int = 13,
    weight: str = "400",
    fill: str = "currentColor",
    strike: bool = False,
) -> None:
    attributes = {"x": str(x), "y": str(y), "font-size": str(size), "font-weight": weight, "fill": fill}
    if strike:
        attributes["text-decoration"] = "line-through"
    ET.SubElement(root, "text", attributes).text = text
