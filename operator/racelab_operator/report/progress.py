"""Showing an experiment while it is performed: a table that moves on a terminal, one line per step elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from racelab_operator.money import cents_as_text
from racelab_operator.report.moving_table import MovingTable
from racelab_operator.report.rows import Row, StepParts, figures_of, short_names, trace_of
from racelab_operator.report.screen import Screen, can_move
from racelab_operator.report.sparkline import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.console import Console

    from racelab_operator.observed import Audit
    from racelab_operator.run import Progress as Moment
    from racelab_operator.status import Stage, StepResult
    from racelab_operator.steps import Experiment, Step

_STAGES: Final[dict[Stage, str]] = {
    "spec": "begins",
    "replicas": "scaling",
    "load": "loading",
    "ledger": "settling",
    "audit": "auditing",
    "report": "ends",
}


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, moment: Moment) -> None:
        """Show nothing of this moment."""


class Lines(Silence):
    """Prints one plain line per finished step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def __call__(self, moment: Moment) -> None:
        """Print the steps that have finished since the last moment."""
        steps = moment.experiment.steps
        for result in moment.status.results[self._told :]:
            self._console.print(f"{result.step + 1}/{len(steps)} {steps[result.step].name}: {result.reason}")
        self._told = len(moment.status.results)


class StepsTable(Silence):
    """Draws every step of the experiment: what was written, the drift and how it went, and the verdicts."""

    def __init__(self, console: Console) -> None:
        self._screen = Screen(console)
        self._steps = _Steps()

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._screen.__exit__(kind, error, trace)

    def __call__(self, moment: Moment) -> None:
        """Draw where the experiment stands."""
        self._screen.show(self._steps.table(moment))


class _Steps:
    """What was seen of the steps so far: no more than is drawn."""

    def __init__(self) -> None:
        self._waiting: list[Row] = []
        self._ended: dict[int, Row] = {}
        self._step = -1
        self._began_at = 0.0
        self._trace = Trace()
        self._audit: Audit | None = None

    def table(self, moment: Moment) -> MovingTable:
        """Lay out a moment, which is later than those before."""
        experiment, status = moment.experiment, moment.status
        self._waiting = self._waiting or _waiting_rows(experiment)
        self._begin(moment)
        for result in status.results:
            known = self._ended.get(result.step)
            if known is None or (known.figures is None and result.audit is not None):  # on a cluster it comes later
                self._ended[result.step] = self._ended_row(experiment.steps[result.step], result)
        rows = tuple(self._row(moment, step) for step in experiment.steps)
        current = min(status.step, len(rows) - 1)
        return MovingTable(self._title(moment), "written", rows, current, tuple(self._caption(moment)))

    def _begin(self, moment: Moment) -> None:
        """Note a new step, and what is new of the one that is performed."""
        step = moment.status.step
        if step != self._step:
            self._step, self._began_at = step, moment.observed.at
            self._trace, self._audit = Trace(), None
        audit = moment.observed.audit if moment.observed.step == step else None
        # An answer of the auditor's may be shown for several moments.
        if audit is not None and audit is not self._audit:
            self._audit = audit
            if not audit.final:
                self._trace.add(audit.absolute_drift_cents)

    def _row(self, moment: Moment, step: Step) -> Row:
        waiting = self._waiting[step.index]
        if step.index in self._ended:
            return self._ended[step.index]
        if not _is_current(moment, step.index):
            return waiting
        status = moment.status
        word = "waiting" if status.hold is not None else _STAGES[status.stage]
        begun = replace(waiting, state="current", word=word)
        if self._audit is None:
            return begun
        fraction = self._fraction(moment, step, self._audit) if status.stage == "load" else None
        written, figures = _written(step, self._audit), figures_of(self._audit)
        return replace(begun, written=written, figures=figures, trace=self._trace.values, fraction=fraction)

    def _fraction(self, moment: Moment, step: Step, audit: Audit) -> float:
        """Give how much of the load is done: of its requests, or of its time."""
        if step.load.requests is not None:
            return min(1.0, audit.entries / step.legs / step.load.requests)
        assert step.load.duration_seconds is not None  # noqa: S101  a load has one of the two
        return min(1.0, max(0.0, moment.observed.at - self._began_at) / step.load.duration_seconds)

    def _ended_row(self, step: Step, result: StepResult) -> Row:
        ended = replace(self._waiting[step.index], state="ended", word=result.verdict)
        if result.audit is None:
            return ended
        trace = trace_of(result.audit)
        if trace is None:
            trace = self._trace.values if self._step == step.index else ()
        return replace(ended, written=_written(step, result.audit), figures=figures_of(result.audit), trace=trace)

    def _title(self, moment: Moment) -> str:
        status, count = moment.status, len(moment.experiment.steps)
        if status.finished or len(status.results) == count:
            return f"{moment.experiment.name} · {_steps(count)}"
        seconds = max(0, int(moment.observed.at - self._began_at))
        return f"{moment.experiment.name} · step {status.step + 1} of {count} · {seconds} s"

    def _caption(self, moment: Moment) -> Iterator[str]:
        """Tell the current step in a sentence."""
        step = moment.experiment.steps[self._step]
        if not _is_current(moment, step.index) or step.index in self._ended:
            return
        if moment.status.hold is not None or self._audit is None:
            if moment.status.message:
                yield moment.status.message
            return
        audit = self._audit
        figures = figures_of(audit)
        yield (
            f"{audit.entries // step.legs} written · drift {figures.drift} · balance "
            f"{cents_as_text(audit.balance_cents)}, ledger {cents_as_text(audit.ledger_total_cents)} · "
            f"{audit.lost} lost · {audit.culprits} stale install{'s' * (audit.culprits != 1)}"
        )


def _is_current(moment: Moment, index: int) -> bool:
    return index == moment.status.step and not moment.status.finished


def _waiting_rows(experiment: Experiment) -> list[Row]:
    steps = experiment.steps
    parts = [StepParts(one.replicas, one.strategy, one.isolation, one.window_milliseconds) for one in steps]
    named = zip(steps, short_names(parts), strict=True)
    return [Row(step.name, short, "waiting", "waiting") for step, short in named]


def _written(step: Step, audit: Audit) -> str:
    """Count requests that were applied, of a transfer's two legs one."""
    count = audit.entries // step.legs
    return f"{count}/{step.load.requests}" if step.load.requests is not None and not audit.final else str(count)


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def progress_on(console: Console) -> Silence:
    """Choose what the console can show."""
    return StepsTable(console) if can_move(console) else Lines(console)
