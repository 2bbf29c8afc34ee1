"""A row of small bars that shows how a figure went: ▁▁▂▃▅▇█. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVELS: Final = "▁▂▃▄▅▆▇█"
MOST_KEPT: Final = 256
_TOP: Final = len(LEVELS) - 2


def thinned(values: Sequence[int], most: int) -> list[int]:
    """Give at most so many values, in their order: the largest of each stretch, so that no peak is hidden."""
    if len(values) <= most:
        return list(values)
    bounds = [len(values) * index // most for index in range(most + 1)]
    return [max(values[begin:end]) for begin, end in pairwise(bounds)]


def sparkline(values: Sequence[int], width: int) -> str:
    """Draw values by their magnitudes, at most `width` of them; the largest is the highest bar.

    What is 0 is the lowest bar, and nothing else is: a figure that is off by one cent among millions shows.
    """
    shown = thinned([abs(value) for value in values], width)
    largest = max(shown, default=0)
    return "".join(LEVELS[1 + value * _TOP // largest] if value else LEVELS[0] for value in shown)


def at_even_times(points: Sequence[tuple[float, int]], most: int) -> list[int]:
    """Turn points in time into at most so many values, each for a stretch of time as long as the others.

    A stretch has the largest of its points; one without points has the value that held before. `points`: in their
    order, of which two or more may be of the same moment.
    """
    if not points:
        return []
    begin, end = points[0][0], points[-1][0]
    count = min(most, len(points))
    peaks: list[int | None] = [None] * count
    held = [points[0][1]] * count
    for moment, value in points:
        share = (moment - begin) / (end - begin) if end > begin else 0.0
        place = min(int(share * count), count - 1)
        before = peaks[place]
        peaks[place] = value if before is None else max(before, value)
        held[place] = value
    found: list[int] = []
    last = points[0][1]
    for peak, value in zip(peaks, held, strict=True):
        found.append(last if peak is None else peak)
        last = last if peak is None else value
    return found


class Trace:
    """Values that arrive one by one, however many: what is kept is thinned, so that it stays small."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._stretch = 1
        self._pending: list[int] = []

    def add(self, value: int) -> None:
        """Take the next value."""
        self._pending.append(value)
        if len(self._pending) == self._stretch:
            self._kept.append(max(self._pending))
            self._pending = []
        if len(self._kept) == MOST_KEPT:
            self._kept = thinned(self._kept, MOST_KEPT // 2)
            self._stretch *= 2

    @property
    def values(self) -> tuple[int, ...]:
        """What is kept, in its order; the largest is always among it."""
        return (*self._kept, *([max(self._pending)] if self._pending else ()))
