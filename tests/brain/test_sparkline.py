"""Sparklines: what is drawn of how a figure went."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_operator.report.sparkline import LEVELS, MOST_KEPT, Trace, at_even_times, sparkline, thinned

DRIFTS = st.lists(st.integers(-(10**15), 10**15), max_size=400)
AMOUNTS = st.lists(st.integers(0, 10**15), max_size=400)
WIDTHS = st.integers(1, 60)


def heights(drawn: str) -> list[int]:
    return [LEVELS.index(bar) for bar in drawn]


@given(DRIFTS, WIDTHS)
def test_it_is_never_wider_than_it_may_be_and_draws_every_value_where_there_is_room(
    values: list[int], width: int
) -> None:
    assert len(sparkline(values, width)) == min(len(values), width)


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=60))
def test_more_is_never_drawn_lower_and_the_sign_makes_no_difference(values: list[int]) -> None:
    drawn = heights(sparkline(values, 60))
    in_order = [height for _, height in sorted(zip(map(abs, values), drawn, strict=True))]
    assert in_order == sorted(in_order)
    assert sparkline([-value for value in values], 60) == sparkline(values, 60)


@given(DRIFTS, WIDTHS)
def test_the_largest_is_always_there_at_full_height(values: list[int], width: int) -> None:
    assert (LEVELS[-1] in sparkline(values, width)) == any(values)


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=60))
def test_what_is_nothing_is_the_lowest_bar_and_nothing_else_is(values: list[int]) -> None:
    assert [height == 0 for height in heights(sparkline(values, 60))] == [value == 0 for value in values]


def test_a_cent_among_millions_shows() -> None:
    assert sparkline([0, 1, 10**12], 10) == "▁▂█"


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([], 10, ""),
        ([0] * 40, 5, "▁▁▁▁▁"),
        ([-100, -200, -300], 10, "▄▆█"),
        ([0, 0, 0, 500, 0, 0, 0, 0], 4, "▁█▁▁"),
    ],
    ids=["nothing", "no drift", "a growing negative drift", "a peak between others"],
)
def test_it_looks_like_what_it_shows(values: list[int], width: int, drawn: str) -> None:
    assert sparkline(values, width) == drawn


@given(AMOUNTS, WIDTHS)
def test_thinning_keeps_each_stretch_by_its_largest_value(values: list[int], most: int) -> None:
    kept = thinned(values, most)
    assert len(kept) == min(len(values), most)
    assert max(kept, default=0) == max(values, default=0)
    remaining = iter(values)
    assert all(value in remaining for value in kept), "in their order"


@given(st.lists(st.integers(0, 10**15), max_size=5_000))
def test_a_trace_stays_small_and_keeps_the_largest_however_many_come(values: list[int]) -> None:
    trace = Trace()
    for value in values:
        trace.add(value)
    assert len(trace.values) <= MOST_KEPT
    assert max(trace.values, default=0) == max(values, default=0)


def test_a_trace_of_a_growing_drift_grows() -> None:
    trace = Trace()
    for value in range(100_000):
        trace.add(value)
    assert list(trace.values) == sorted(trace.values)
    assert MOST_KEPT // 4 <= len(trace.values) <= MOST_KEPT


POINTS = st.lists(st.tuples(st.floats(0, 10**6), st.integers(0, 10**9)), max_size=150).map(
    lambda points: sorted(points, key=lambda point: point[0])
)


@given(POINTS, WIDTHS)
def test_points_in_time_keep_their_largest_and_invent_none(points: list[tuple[float, int]], most: int) -> None:
    spread = at_even_times(points, most)
    assert len(spread) == min(most, len(points))
    assert set(spread) <= {value for _, value in points}
    assert max(spread, default=0) == max((value for _, value in points), default=0)


def test_a_stretch_of_time_without_points_holds_what_was_before() -> None:
    points = [(0.0, 0), (1.0, 5), (9.0, 7), (10.0, 9)]
    assert at_even_times(points, 4) == [5, 5, 5, 9]
    assert at_even_times([(3.0, 1), (3.0, 4)], 10) == [4, 4]
