"""Showing an experiment while it is performed: a bar per step on a terminal, one line per step elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from racelab_operator.money import cents_as_text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from racelab_operator.run import Progress as Moment

REFRESHES_PER_SECOND: Final = 5


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


class Bars(Silence):
    """Draws a bar for each step that was begun, with the live drift, then with the verdict."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self._tasks: dict[int, TaskID] = {}
        self._told = 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, moment: Moment) -> None:
        """Move the bars to where the experiment stands."""
        for result in moment.status.results[self._told :]:
            drift = result.audit and f"drift {cents_as_text(result.audit.drift_cents)}"
            figures = " · ".join(part for part in (result.verdict, drift) if part)
            self._bars.update(self._task(moment, result.step), total=1, completed=1, figures=figures)
        self._told = len(moment.status.results)
        if self._told <= moment.status.step and not moment.status.finished:
            self._live(moment)

    def _task(self, moment: Moment, index: int) -> TaskID:
        if index not in self._tasks:
            self._tasks[index] = self._bars.add_task(moment.experiment.steps[index].name, total=None, figures="")
        return self._tasks[index]

    def _live(self, moment: Moment) -> None:
        step = moment.experiment.steps[moment.status.step]
        task = self._task(moment, step.index)
        audit = moment.observed.audit if moment.observed.step == step.index else None
        if audit is None:
            self._bars.update(task, figures=moment.status.message)
            return
        written = audit.entries // step.legs
        figures = f"{written} written · drift {cents_as_text(audit.drift_cents)}"
        self._bars.update(task, total=step.load.requests, completed=written, figures=figures)


def progress_on(console: Console) -> Silence:
    """Choose what the console can show."""
    return Bars(console) if console.is_terminal else Lines(console)
