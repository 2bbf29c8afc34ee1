"""A report's figures and verdicts in words. Pure."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from racelab_operator.money import cents_as_text
from racelab_operator.words import others_as_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from racelab_operator.report.model import ExperimentReport, StepReport

#: How a verdict looks beside its word, which tells the same to who does not see colours.
MARKS: Final = {"Confirmed": "✓", "Refuted": "✗", "NotReproduced": "○", "Unknown": "?"}
_MINUTE: Final = 60


def counted(count: int, noun: str) -> str:
    """Write `1 step`, `1,800 steps`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def percent(part: int, whole: int) -> str:
    """Write a share with one decimal: `63.0 %`."""
    tenths = round(Fraction(1000 * part, whole))
    return f"{tenths // 10:,}.{tenths % 10} %"


def number(value: Fraction) -> str:
    """Write a round number: `1,000`, `0.5`."""
    return f"{value.numerator:,}" if value.denominator == 1 else f"{float(value):g}"


def summary(report: ExperimentReport) -> str:
    """Say in one sentence what came of an experiment."""
    return f"{_verdicts(report.steps)}; {_losses(report.steps)}."


def _verdicts(steps: tuple[StepReport, ...]) -> str:
    counts: Counter[str] = Counter(step.verdict for step in steps)
    if not steps:
        return "There is no step"
    if len(counts) == 1:
        [verdict] = counts
        return f"The step is {verdict}" if len(steps) == 1 else f"All {len(steps)} steps are {verdict}"
    there = {verdict: counts[verdict] for verdict in MARKS if counts[verdict]}
    told = (f"{count} {'is' if count == 1 else 'are'} {verdict}" for verdict, count in there.items())
    return f"Of {counted(len(steps), 'step')}, {', '.join(told)}"


def _losses(steps: tuple[StepReport, ...]) -> str:
    known = [step for step in steps if step.lost is not None]
    if not known:
        return "no step came to an audit"
    racing = [step for step in known if step.lost]
    entries = [step.entries for step in known if step.entries is not None]
    of = f" of {sum(entries):,}" if len(entries) == len(known) else ""
    drift = sum(step.drift_cents or 0 for step in known)
    lost = sum(step.lost or 0 for step in known)
    absolute = sum(step.absolute_drift_cents or 0 for step in known)
    signs = "" if absolute == abs(drift) else f" ({cents_as_text(absolute)} without signs)"
    told = "no entry was lost"
    if lost:
        was = "entry was" if lost == 1 and not of else "entries were"
        told = (
            f"{lost:,}{of} {was} lost, in {counted(len(racing), 'step')}, with a drift of {cents_as_text(drift)}{signs}"
        )
    others: Counter[str] = Counter()
    for step in known:
        others.update(step.anomalies or {})
    found = others_as_text(others)
    return f"{told}; also found: {found}" if found else told


def moment(begun: datetime | None, ended: datetime | None) -> str:
    """Say when it was done: `26 November 2026, 09:43:50 to 09:45:10 UTC`; empty where nobody knows."""
    if begun is not None and ended is not None:
        day = "" if begun.date() == ended.date() else f"{_day(ended)}, "
        return f"{_day(begun)}, {begun:%H:%M:%S} to {day}{ended:%H:%M:%S %Z}"
    if begun is not None:
        return f"begun {_day(begun)}, {begun:%H:%M:%S %Z}"
    return "" if ended is None else f"ended {_day(ended)}, {ended:%H:%M:%S %Z}"


def _day(when: datetime) -> str:
    return f"{when.day} {when:%B %Y}"


def titles(steps: Sequence[StepReport], *, without: str = "") -> list[str]:
    """Name steps by what tells them apart, in short: `row_lock (3 replicas, 10 ms window)`.

    `without`: the field that is told elsewhere. What is the same for all of them is left out.
    """
    return [_title(step, [name for name in _varying(steps) if name != without]) for step in steps]


def _varying(steps: Sequence[StepReport]) -> list[str]:
    fields = ("replicas", "isolation", "window_milliseconds")
    return [name for name in fields if len({getattr(step, name) for step in steps}) > 1]


def _title(step: StepReport, fields: Sequence[str]) -> str:
    words = {
        "replicas": counted(step.replicas, "replica"),
        "isolation": step.isolation,
        "window_milliseconds": f"{step.window_milliseconds:,} ms window",
    }
    more = ", ".join(words[name] for name in fields)
    return f"{step.strategy} ({more})" if more else step.strategy
