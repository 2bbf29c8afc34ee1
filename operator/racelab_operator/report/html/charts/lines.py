"""Line charts: how one value goes with another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from racelab_operator.report.html.charts import svg
from racelab_operator.report.html.charts.scales import Scale, Value, scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction
    from xml.etree import ElementTree as ET

_LEFT: Final = 72
_RIGHT: Final = 14
_TOP: Final = 26
_PLOT: Final = 170
_BELOW: Final = 42
_ROW: Final = 17
# Words that would stand closer than this to others are left out: the description has them all.
_APART: Final = (36, 11)

_Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points in ascending order; `words` stand at each of its marks, where there are any."""

    name: str
    points: tuple[tuple[Value, Value], ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LineChart:
    """What a chart shows. `description` says it in words; `shaded`: whether the gap between the first two lines is.

    `levels` name the places 0, 1, 2 and so on, where the values across are chosen ones and not a measure.
    """

    title: str
    description: str
    across: str
    up: str
    lines: tuple[Line, ...]
    across_text: Callable[[Fraction], str]
    up_text: Callable[[Fraction], str]
    levels: tuple[str, ...] = ()
    from_zero: bool = True
    whole: bool = False
    shaded: bool = False


def line_chart(chart: LineChart) -> str:
    """Draw a chart; below it stands which line is which."""
    named = len(chart.lines) > 1
    bottom = _TOP + _PLOT
    root = svg.drawing(chart.title, chart.description, bottom + _BELOW + _ROW * len(chart.lines) * named)
    across, up = _scales(chart)
    _grid(root, chart, across, up)

    def at(point: tuple[Value, Value]) -> _Place:
        return _across(chart, across, point[0]), up.place(point[1], bottom, _TOP)

    if chart.shaded:
        first, second = (tuple(map(at, line.points)) for line in chart.lines[:2])
        svg.path(root, (*first, *reversed(second)), "gap", closed=True)
    told: list[_Place] = []
    for number, line in enumerate(chart.lines):
        places = [at(point) for point in line.points]
        svg.path(root, places, f"line s{number % svg.LOOKS}")
        for (x, y), words in zip(places, line.words, strict=bool(line.words)):
            svg.mark(root, x, y, number)
            if not any(abs(x - other_x) < _APART[0] and abs(y - other_y) < _APART[1] for other_x, other_y in told):
                svg.text(root, (x, y - 8), words, "value", _anchor(x))
                told.append((x, y))
        if named:
            _legend(root, number, line, bottom + _BELOW + _ROW * number, marked=bool(line.words))
    return svg.written(root)


def _scales(chart: LineChart) -> tuple[Scale, Scale]:
    across = [x for line in chart.lines for x, _ in line.points]
    up = [y for line in chart.lines for _, y in line.points] + [0] * chart.from_zero
    return scale(min(across), max(across)), scale(min(up), max(up), whole=chart.whole)


def _across(chart: LineChart, across: Scale, value: Value) -> float:
    right = svg.WIDTH - _RIGHT
    if not chart.levels:
        return across.place(value, _LEFT, right)
    return _LEFT + (right - _LEFT) * (float(value) + 0.5) / len(chart.levels)


def _anchor(x: float) -> str:
    return "end" if x > svg.WIDTH - _RIGHT - 24 else "middle"


def _grid(root: ET.Element, chart: LineChart, across: Scale, up: Scale) -> None:
    left, right, bottom = _LEFT, svg.WIDTH - _RIGHT, _TOP + _PLOT
    svg.text(root, (2, 12), chart.up, "axis")
    for tick in up.ticks:
        y = up.place(tick, bottom, _TOP)
        svg.line(root, (left, y), (right, y), "zero" if tick == 0 else "grid")
        svg.text(root, (left - 6, y + 4), chart.up_text(tick), "tick", "end")
    told: Iterable[tuple[Value, str]] = enumerate(chart.levels)
    if not chart.levels:
        told = ((tick, chart.across_text(tick)) for tick in across.ticks)
    for value, words in told:
        x = _across(chart, across, value)
        svg.line(root, (x, bottom), (x, bottom + 4), "grid")
        svg.text(root, (x, bottom + 16), words, "tick", "middle" if chart.levels else _anchor(x))
    svg.text(root, (right, bottom + 32), chart.across, "axis", "end")


def _legend(root: ET.Element, number: int, line: Line, y: float, *, marked: bool) -> None:
    svg.line(root, (4, y + 6), (34, y + 6), f"line s{number % svg.LOOKS}")
    if marked:
        svg.mark(root, 19, y + 6, number)
    svg.text(root, (42, y + 10), svg.clipped(line.name, svg.WIDTH - 42), "legend")
