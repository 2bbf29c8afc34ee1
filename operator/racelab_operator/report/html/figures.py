"""Which charts a report has, from its figures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from racelab_operator.money import cents_as_text
from racelab_operator.report.html.charts.lines import Line, LineChart, line_chart
from racelab_operator.report.html.charts.rows import Row, RowChart, row_chart
from racelab_operator.report.html.charts.svg import LOOKS
from racelab_operator.report.html.words import counted, number, percent, titles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from racelab_operator.report.html.charts.scales import Value
    from racelab_operator.report.model import StepReport

#: How many rows fit on one printed page beside their caption.
MOST_ROWS: Final = 20
_SECONDS_FROM_MILLISECONDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing as markup, and its caption."""

    drawing: str
    caption: str


def drift_figures(steps: Sequence[StepReport]) -> list[Figure]:
    """Draw the drift of all steps that drifted on common axes, those with the largest drift first."""
    told = [(name, step) for name, step in zip(titles(steps), steps, strict=True) if step.timeline]
    drifting = [(name, step) for name, step in told if _drifted(step)]
    if not drifting:
        return []
    drifting.sort(key=lambda one: -(one[1].absolute_drift_cents or 0))
    drawn = drifting[:LOOKS]
    unit, across = _clock([step for _, step in drawn])
    # Where accounts drift in opposite directions, as those of transfers do, the sum hides it.
    hidden = any(_opposite(step) for _, step in drawn)
    values = {name: _absolute(step) if hidden else _drifts(step) for name, step in drawn}
    chart = LineChart(
        title="Drift over time",
        description="; ".join(f"{name}: ends at {cents_as_text(values[name][-1])}" for name, _ in drawn),
        across=unit,
        up="drift, without signs" if hidden else "drift",
        lines=tuple(Line(name, _over_time(step, values[name])) for name, step in drawn),
        across_text=across,
        up_text=_money,
        whole=True,
    )
    how = ", summed without signs per account" if hidden else ""
    caption = f"Balances minus what the ledger says they must be{how}, while each step was performed."
    if len(drawn) == 1:
        caption += f" The line is {drawn[0][0]}."
    if len(drifting) > len(drawn):
        caption += f" Those are the {len(drawn)} steps with the largest drift, of {len(drifting)} that drifted."
    if still := len(told) - len(drifting):
        caption += f" {counted(still, 'other step')} stayed at 0.00 all the time."
    return [Figure(line_chart(chart), caption)]


def step_figures(step: StepReport) -> list[Figure]:
    """Draw how one step came to its drift: balance and ledger, and the gap between them."""
    if not step.timeline or not _drifted(step):
        return []
    unit, across = _clock([step])
    drift, absolute = _drifts(step), _absolute(step)
    lines = [Line("drift", _over_time(step, drift))]
    if _opposite(step):
        lines.append(Line("without signs, summed per account", _over_time(step, absolute)))
    gap = LineChart(
        title="Drift",
        description=f"The drift ends at {cents_as_text(drift[-1])}, without signs at {cents_as_text(absolute[-1])}.",
        across=unit,
        up="drift",
        lines=tuple(lines),
        across_text=across,
        up_text=_money,
        whole=True,
    )
    stale = counted(step.timeline[-1].stale_installs, "write")
    drawn = [Figure(line_chart(gap), f"The drift over time. In all, {stale} came from a stale read.")]
    return [_both(step, unit, across), *drawn] if any(drift) else drawn


def _both(step: StepReport, unit: str, across: Callable[[Fraction], str]) -> Figure:
    """Draw balance and ledger, and the gap between them: where the accounts' drifts do not cancel each other out."""
    ledger = [point.ledger_total_cents for point in step.timeline or ()]
    balance = [point.balance_cents for point in step.timeline or ()]
    both = LineChart(
        title="Balance and ledger total",
        description=f"The ledger ends at {cents_as_text(ledger[-1])}, the balance at {cents_as_text(balance[-1])}.",
        across=unit,
        up="amount",
        lines=(
            Line("what the ledger says that the balances must be", _over_time(step, ledger)),
            Line("what the balances are", _over_time(step, balance)),
        ),
        across_text=across,
        up_text=_money,
        from_zero=False,
        whole=True,
        shaded=True,
    )
    return Figure(line_chart(both), "Balance and ledger total over time; the gap between them is the drift.")


def loss_figures(steps: Sequence[StepReport]) -> list[Figure]:
    """Draw the share of lost entries against replicas, and against the window, where there is more than one."""
    return [
        figure
        for dimension, words in (
            ("replicas", "replicas of the bank"),
            ("window_milliseconds", "the window in milliseconds"),
        )
        if (figure := _loss_figure(steps, dimension, words)) is not None
    ]


def _loss_figure(steps: Sequence[StepReport], dimension: str, words: str) -> Figure | None:
    known = [step for step in steps if step.lost is not None and step.entries]
    levels = sorted({getattr(step, dimension) for step in known})
    if len(levels) < 2:
        return None
    lines: dict[str, list[tuple[int, StepReport]]] = {}
    for name, step in zip(titles(known, without=dimension), known, strict=True):
        lines.setdefault(name, []).append((levels.index(getattr(step, dimension)), step))
    losing = {name: found for name, found in lines.items() if any(step.lost for _, step in found)}
    spared = [name for name in lines if name not in losing]
    if not losing:
        return None
    worst = sorted(losing, key=lambda name: -max(_share(step) for _, step in losing[name]))
    drawn = worst[:LOOKS]
    told = {name: [(level, step, _percent(step)) for level, step in sorted(losing[name], key=_level)] for name in drawn}
    chart = LineChart(
        title=f"Lost entries against {words}",
        description="; ".join(
            f"{name}: {', '.join(f'{share} at {levels[level]}' for level, _, share in found)}"
            for name, found in told.items()
        ),
        across=words,
        up="lost, % of entries",
        lines=tuple(
            Line(name, tuple((level, _share(step)) for level, step, _ in found), tuple(share for _, _, share in found))
            for name, found in told.items()
        ),
        across_text=number,
        up_text=number,
        levels=tuple(f"{level:,}" for level in levels),
    )
    caption = f"How many of the entries were overwritten, against {words}."
    if len(drawn) == 1:
        caption += f" The line is {drawn[0]}."
    if len(worst) > len(drawn):
        caption += f" Those are the {len(drawn)} that lost most, of {len(worst)} that lost any."
    if spared:
        caption += f" Nothing was lost by {_listed(spared)}."
    return Figure(line_chart(chart), caption)


def _level(found: tuple[int, StepReport]) -> int:
    return found[0]


def _share(step: StepReport) -> Fraction:
    return Fraction(100 * (step.lost or 0), step.entries or 1)


def _percent(step: StepReport) -> str:
    return percent(step.lost or 0, step.entries or 1)


def _listed(names: Sequence[str]) -> str:
    shown = [*names] if len(names) <= LOOKS else [*names[: LOOKS - 1], f"{len(names) - LOOKS + 1} others"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def latency_figures(steps: Sequence[StepReport]) -> list[Figure]:
    """Draw from which half to which hundredth of the operations each step's answers came."""
    rows = []
    for name, step in zip(titles(steps), steps, strict=True):
        latency = step.latency_milliseconds
        if latency is not None and latency.p50 is not None and latency.p99 is not None:
            words = f"{latency.p50:.1f} to {latency.p99:.1f} ms"
            rows.append((step.strategy, Row(name, latency.p50, latency.p99, words)))
    rows.sort(key=lambda one: one[0])
    caption = "Latency by strategy: half of the answers came by the ring (p50), 99 of 100 by the disc (p99)."
    return _row_figures("Latency", "milliseconds", [row for _, row in rows], caption, ranges=True)


def skew_figures(steps: Sequence[StepReport]) -> list[Figure]:
    """Draw how far from the common start each step's first requests were."""
    rows = [
        Row(name, 0, step.start_skew_microseconds, f"{step.start_skew_microseconds:,} µs")
        for name, step in zip(titles(steps), steps, strict=True)
        if step.start_skew_microseconds is not None
    ]
    caption = "Start skew: the largest distance of a generator's first request from the common start."
    return _row_figures("Start skew", "microseconds", rows, caption, ranges=False)


def _row_figures(title: str, unit: str, rows: list[Row], caption: str, *, ranges: bool) -> list[Figure]:
    figures = []
    for first in range(0, len(rows), MOST_ROWS):
        some = tuple(rows[first : first + MOST_ROWS])
        chart = RowChart(title, "; ".join(f"{row.name}: {row.words}" for row in some), unit, some, number, ranges)
        place = f" {first + 1} to {first + len(some)} of {len(rows)} steps." if len(rows) > MOST_ROWS else ""
        figures.append(Figure(row_chart(chart), caption + place))
    return figures


def _drifted(step: StepReport) -> bool:
    return any(_absolute(step)) or any(_drifts(step))


def _drifts(step: StepReport) -> list[int]:
    return [point.balance_cents - point.ledger_total_cents for point in step.timeline or ()]


def _absolute(step: StepReport) -> list[int]:
    return [point.absolute_drift_cents for point in step.timeline or ()]


def _opposite(step: StepReport) -> bool:
    """Whether accounts drifted in opposite directions at some time."""
    return any(abs(one) != other for one, other in zip(_drifts(step), _absolute(step), strict=True))


def _over_time(step: StepReport, values: Sequence[int]) -> tuple[tuple[Value, Value], ...]:
    return tuple((point.at_milliseconds, value) for point, value in zip(step.timeline or (), values, strict=True))


def _clock(steps: Sequence[StepReport]) -> tuple[str, Callable[[Fraction], str]]:
    """Choose the unit that the longest step is told in."""
    longest = max(point.at_milliseconds for step in steps for point in step.timeline or ())
    if longest < _SECONDS_FROM_MILLISECONDS:
        return "milliseconds since the first write", number
    return "seconds since the first write", lambda value: number(value / 1000)


def _money(cents: Fraction) -> str:
    return cents_as_text(int(cents))
