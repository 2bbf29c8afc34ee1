"""Charts: round numbers at the ticks, everything inside the drawing, and words for who does not see it."""

from __future__ import annotations

import math
from fractions import Fraction
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_operator.report.html.charts.lines import Line, LineChart, line_chart
from racelab_operator.report.html.charts.rows import Row, RowChart, row_chart
from racelab_operator.report.html.charts.scales import scale
from racelab_operator.report.html.charts.svg import WIDTH
from racelab_operator.report.html.words import number, percent

VALUES = st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), st.fractions())


def digits(step: Fraction) -> Fraction:
    """Give a step's digits without its power of ten."""
    while step >= 10:
        step /= 10
    while step < 1:
        step *= 10
    return step


@given(VALUES, VALUES, st.integers(3, 12), st.booleans())
def test_a_scale_holds_its_values_between_evenly_spaced_round_ticks(
    one: float | Fraction, other: float | Fraction, most: int, whole: bool
) -> None:
    low, high = sorted((Fraction(one), Fraction(other)))
    found = scale(low, high, most=most, whole=whole)
    steps = {next_one - this for this, next_one in zip(found.ticks, found.ticks[1:], strict=False)}
    [step] = steps
    assert 2 <= len(found.ticks) <= most
    assert digits(step) in {1, 2, 5}
    assert all((tick / step).denominator == 1 for tick in found.ticks)
    assert found.ticks[0] <= low
    assert high <= found.ticks[-1]
    assert not whole or step.denominator == 1


@given(VALUES, VALUES, st.integers(3, 12))
def test_no_finer_scale_would_do(one: float | Fraction, other: float | Fraction, most: int) -> None:
    low, high = sorted((Fraction(one), Fraction(other)))
    ticks = scale(low, high, most=most).ticks
    step = ticks[1] - ticks[0]
    finer = step * {1: Fraction(1, 2), 2: Fraction(1, 2), 5: Fraction(2, 5)}[int(digits(step))]
    if low < high:
        assert math.ceil(high / finer) - math.floor(low / finer) >= most


@given(VALUES, VALUES, VALUES)
def test_places_keep_the_order_of_values_and_stay_inside(
    low: float | Fraction, middle: float | Fraction, high: float | Fraction
) -> None:
    low, middle, high = sorted(Fraction(one) for one in (low, middle, high))
    found = scale(low, high)
    left, between, right = (found.place(value, 40.0, 400.0) for value in (low, middle, high))
    assert 40 <= left <= between <= right <= 400.001
    assert found.place(found.ticks[0], 40, 400) == 40
    assert math.isclose(found.place(found.ticks[-1], 40, 400), 400)


@pytest.mark.parametrize(
    ("low", "high", "whole", "ticks"),
    [
        (0, 100, False, [0, 20, 40, 60, 80, 100]),
        (-18_700, 0, True, [-20_000, -15_000, -10_000, -5_000, 0]),
        (0, 1.3, False, [0, 0.5, 1, 1.5]),
        (0, 1.3, True, [0, 1, 2]),
        (7, 7, True, [7, 8]),
        (0, 0, False, [0, 1]),
    ],
)
def test_ticks_are_those_that_one_would_draw_by_hand(low: float, high: float, whole: bool, ticks: list[float]) -> None:
    assert [float(tick) for tick in scale(low, high, whole=whole).ticks] == ticks


@given(st.integers(0, 10**30), st.integers(1, 10**30))
def test_shares_are_written_with_one_decimal(part: int, whole: int) -> None:
    told = percent(part, whole)
    assert abs(Fraction(told.removesuffix(" %").replace(",", "")) - Fraction(100 * part, whole)) <= Fraction(1, 20)


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80)
POINTS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8).map(lambda points: tuple(sorted(points)))


def drawn(markup: str) -> ET.Element:
    root = ET.fromstring(markup)
    assert root.get("role") == "img"
    return root


def places(root: ET.Element) -> list[tuple[float, float]]:
    """Give all places that are drawn at."""
    found = []
    for element in root.iter():
        for x, y in (("x", "y"), ("x1", "y1"), ("x2", "y2"), ("cx", "cy")):
            if (at := element.get(x)) is not None:
                found.append((float(at), float(element.attrib[y])))
        if element.get("class", "").startswith(("line", "gap")) and (path := element.get("d")):
            found += [tuple(map(float, one.split(","))) for one in path.strip("Mz").split("L")]  # type: ignore[misc]
    return found


@given(st.lists(st.builds(Line, NAMES, POINTS), min_size=1, max_size=9))
def test_a_line_chart_stays_inside_its_drawing_and_says_what_it_shows(lines: list[Line]) -> None:
    chart = LineChart("title <b>", "in words & more", "across", "up", tuple(lines), number, number)
    root = drawn(line_chart(chart))
    assert (root.findtext("title"), root.findtext("desc")) == ("title <b>", "in words & more")
    height = float(root.attrib["viewBox"].split()[3])
    assert all(-0.1 <= x <= WIDTH + 0.1 and -0.1 <= y <= height for x, y in places(root))


@given(st.lists(st.builds(Row, NAMES, st.just(0), st.integers(0, 10**40), NAMES), max_size=9), st.booleans())
def test_a_chart_of_rows_stays_inside_its_drawing(rows: list[Row], ranges: bool) -> None:
    root = drawn(row_chart(RowChart("title", "words", "across", tuple(rows), number, ranges)))
    height = float(root.attrib["viewBox"].split()[3])
    assert all(0 <= x <= WIDTH and 0 <= y <= height for x, y in places(root))
    assert len([element for element in root.iter() if element.get("class") in {"bar", "range"}]) == len(rows)


def test_levels_are_spaced_evenly_and_named() -> None:
    line = Line("atomic_only", ((0, 0), (1, 50), (2, 60)), ("0.0 %", "50.0 %", "60.0 %"))
    chart = LineChart("t", "d", "replicas", "lost", (line,), number, number, levels=("1", "3", "32"))
    root = drawn(line_chart(chart))
    [path] = [element.attrib["d"] for element in root.iter("path") if element.get("class") == "line s0"]
    first, second, third = (float(point.split(",")[0]) for point in path.strip("M").split("L"))
    assert math.isclose(second - first, third - second, abs_tol=0.11)
    words = [element.text for element in root.iter("text")]
    assert [word for word in words if word in {"1", "3", "32"}] == ["1", "3", "32"]
    assert [word for word in words if word and word.endswith("%")] == ["0.0 %", "50.0 %", "60.0 %"]
