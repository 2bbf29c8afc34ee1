"""Charts of rows: one bar, or one range from a ring to a disc, for each of several names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from racelab_operator.report.html.charts import svg
from racelab_operator.report.html.charts.scales import Scale, Value, scale

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

_LEFT: Final = 4
_END: Final = 300
_TOP: Final = 8
_ROW: Final = 34
_BELOW: Final = 42


@dataclass(frozen=True, slots=True)
class Row:
    """A name, where its mark begins and ends, and what is written beside it."""

    name: str
    begin: Value
    end: Value
    words: str


@dataclass(frozen=True, slots=True)
class RowChart:
    """What a chart shows: ranges, or bars that begin at zero. `description` says it in words."""

    title: str
    description: str
    across: str
    rows: tuple[Row, ...]
    across_text: Callable[[Fraction], str]
    ranges: bool = False


def row_chart(chart: RowChart) -> str:
    """Draw a chart, a name above each of its marks."""
    bottom = _TOP + _ROW * len(chart.rows)
    root = svg.drawing(chart.title, chart.description, bottom + _BELOW)
    across = scale(0, max((row.end for row in chart.rows), default=0), most=5)
    for tick in across.ticks:
        x = across.place(tick, _LEFT, _END)
        svg.line(root, (x, _TOP), (x, bottom + 4), "zero" if tick == 0 else "grid")
        svg.text(root, (x, bottom + 18), chart.across_text(tick), "tick", "start" if tick == 0 else "middle")
    svg.text(root, (_LEFT, bottom + 34), chart.across, "axis")
    for number, row in enumerate(chart.rows):
        y = _TOP + _ROW * number
        svg.text(root, (_LEFT + 4, y + 12), svg.clipped(row.name, svg.WIDTH - _LEFT), "legend")
        _mark(root, chart, across, row, y + 22)
    return svg.written(root)


def _mark(root: ET.Element, chart: RowChart, across: Scale, row: Row, y: float) -> None:
    begin, end = (across.place(value, _LEFT, _END) for value in (row.begin, row.end))
    if chart.ranges:
        svg.line(root, (begin, y), (end, y), "range")
        for x, look in ((begin, "ring"), (end, "disc")):
            ET.SubElement(root, "circle", {"cx": svg.place(x), "cy": svg.place(y), "r": "4.5", "class": look})
    else:
        size = {"width": svg.place(max(1.0, end - begin)), "height": "9"}
        ET.SubElement(root, "rect", {"x": svg.place(begin), "y": svg.place(y - 4.5), **size, "class": "bar"})
    svg.text(root, (end + 10, y + 4), row.words, "value")
