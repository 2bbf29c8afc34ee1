"""The rows of a table that moves: one per step, with its figures, how its drift went, and what became of it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from racelab_operator.money import cents_as_text
from racelab_operator.report.sparkline import at_even_times
from racelab_operator.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from racelab_operator.observed import Audit

# More columns than any table has for it.
_MOST_POINTS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """What an audit shows of a run at one moment."""

    entries: int
    drift_cents: int
    absolute_drift_cents: int
    lost: int
    stale_installs: int

    @property
    def drift(self) -> str:
        """The drift for people; where drifts of several accounts hide each other, by how much they are off: ±5.00."""
        if self.drift_cents == 0 and self.absolute_drift_cents:
            return f"±{cents_as_text(self.absolute_drift_cents)}"
        return cents_as_text(self.drift_cents)


def figures_of(audit: Audit) -> Figures:
    """Take the figures out of an audit."""
    return Figures(audit.entries, audit.drift_cents, audit.absolute_drift_cents, audit.lost, audit.culprits)


def trace_of(audit: Audit) -> tuple[int, ...] | None:
    """Give how the drift of an audit went, evenly in time; None where the audit does not tell."""
    if not audit.timeline:
        return None
    points = [(point.at_milliseconds, point.absolute_drift_cents) for point in audit.timeline]
    return tuple(at_even_times(points, _MOST_POINTS))


@dataclass(frozen=True, slots=True)
class Row:
    """One step: `short` is its name without what is the same for all; `word`: where it stands, or what became of it.

    `fraction`: how much of its load is done, where that is known. `trace`: its absolute drift in cents, through time.
    """

    name: str
    short: str
    state: Literal["waiting", "current", "ended"]
    word: str
    written: str = NOTHING
    figures: Figures | None = None
    trace: tuple[int, ...] = ()
    fraction: float | None = None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What was written, the drift, what is lost, and how many installs were stale."""
        if self.figures is None:
            return self.written, NOTHING, NOTHING, NOTHING
        return self.written, self.figures.drift, f"{self.figures.lost}", f"{self.figures.stale_installs}"


@dataclass(frozen=True, slots=True)
class StepParts:
    """What a step's name consists of."""

    replicas: int
    strategy: str
    isolation: str
    window_milliseconds: int


def short_names(steps: Sequence[StepParts]) -> list[str]:
    """Name steps of one experiment: `3× atomic_only`, and what else is not the same for all of them."""
    levels = len({step.isolation for step in steps}) > 1
    windows = len({step.window_milliseconds for step in steps}) > 1
    return [
        f"{step.replicas}× {step.strategy}"
        + (f" {step.isolation}" if levels else "")
        + (f" {step.window_milliseconds} ms" if windows else "")
        for step in steps
    ]


def window(count: int, current: int, room: int) -> range:
    """Choose which of `count` rows to show, at most `room` of them: the current one with those around it."""
    room = max(1, room)
    begin = min(max(current - room // 2, 0), max(count - room, 0))
    return range(begin, min(begin + room, count))


def hidden_as_text(rows: Sequence[Row], shown: range) -> str:
    """Tell which rows are not shown: `12 before: 10 Confirmed, 2 Refuted · 30 after: 30 waiting`."""
    parts = ((rows[: shown.start], "before"), (rows[shown.stop :], "after"))
    return " · ".join(f"{len(some)} {where}: {_words(row.word for row in some)}" for some, where in parts if some)


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).items())
