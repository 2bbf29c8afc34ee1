"""Reports for people: a table on a terminal, aligned plain lines elsewhere. Words carry the meaning, colours help."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from racelab_operator.money import cents_as_text
from racelab_operator.report.rows import StepParts, short_names
from racelab_operator.words import NOTHING, others_as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from racelab_operator.report.model import ExperimentReport, StepReport

PLAIN_WIDTH: Final = 1000
MOST_NAMES: Final = 3
STYLES: Final = {
    "Confirmed": "bold green",
    "Refuted": "bold red",
    "NotReproduced": "bold yellow",
    "Unknown": "bold magenta",
}


def console(file: IO[str]) -> Console:
    """Make a console; without a terminal it writes plain lines that are never cut."""
    terminal = Console(file=file, highlight=False, soft_wrap=True)
    if terminal.is_terminal:
        return terminal
    return Console(file=file, highlight=False, soft_wrap=True, width=PLAIN_WIDTH, color_system=None)


def print_report(report: ExperimentReport, to: Console) -> None:
    """Print the table, what needs saying about its steps, and the verdict."""
    if to.is_terminal:
        table = report_table(report, plain=False)
        if Measurement.get(to, to.options.update(max_width=PLAIN_WIDTH), table).maximum > to.width:
            table = report_table(report, plain=False, names=_short_names(report))
        to.print(table, soft_wrap=False)
    else:
        with to.capture() as captured:
            to.print(report_table(report, plain=True), soft_wrap=False)
        for line in captured.get().splitlines():
            to.print(line.rstrip())
    for sentence in remarks(report):
        to.print(sentence)
    # A cluster's runs are in its own auditor, which `racelab explain` does not ask.
    lost = next((step for step in report.steps if step.lost), None)
    if lost is not None and "kubernetes" not in report.versions:
        to.print(f"Who was lost, and to whom, while a lab is up: racelab explain {lost.run}")
    to.print(_verdict_line(report))


def _short_names(report: ExperimentReport) -> list[str]:
    return short_names(
        [StepParts(one.replicas, one.strategy, one.isolation, one.window_milliseconds) for one in report.steps]
    )


def report_table(report: ExperimentReport, *, plain: bool, names: Sequence[str] | None = None) -> Table:
    """Lay out one row per step; other anomalies than lost updates have a column where there are any.

    `names` in the place of the steps' own, for a narrow terminal.
    """
    table = Table(
        box=None if plain or names else box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0) if names else (0, 1),
        pad_edge=False,
        show_edge=False,
        header_style="" if plain else "bold",
    )
    others = [others_as_text(step.anomalies or {}) for step in report.steps]
    table.add_column("step")
    for heading in ("operations", "lost", "drift"):
        table.add_column(heading, justify="right")
    if any(others):
        table.add_column("also found")
    for heading in ("serial", "claim", "outcome", "verdict"):
        table.add_column(heading)
    names = [step.name for step in report.steps] if names is None else names
    for name, step, found in zip(names, report.steps, others, strict=True):
        table.add_row(name, *_figures(step), *([found] if any(others) else []), *_words(step))
    return table


def _figures(step: StepReport) -> Iterator[str]:
    operations = step.operations
    yield NOTHING if operations is None else str(operations.ok + operations.fail + operations.info)
    yield NOTHING if step.lost is None else str(step.lost)
    yield NOTHING if step.drift_cents is None else cents_as_text(step.drift_cents)


def _words(step: StepReport) -> Iterator[RenderableType]:
    serializable = None if step.certificate is None else step.certificate.serializable
    yield {True: "proved", False: "refuted", None: NOTHING}[serializable]
    yield step.claim
    yield step.outcome
    yield Text(step.verdict, style=STYLES[step.verdict])


def remarks(report: ExperimentReport) -> list[str]:
    """Give the sentences of the steps that raced, or may have, or are not Confirmed: the others went as claimed.

    A step without an audit is named first: its reason does not name it. Steps that share such a reason, as after an
    interruption, are told together.
    """
    without: dict[str, list[str]] = {}
    sentences = []
    for step in report.steps:
        if step.operations is None:
            without.setdefault(step.reason, []).append(step.name)
        elif step.claim == "racy" or step.verdict != "Confirmed":
            sentences.append(step.reason)
    return sentences + [f"{_named(names)}: {reason}" for reason, names in without.items()]


def _named(steps: list[str]) -> str:
    return ", ".join(steps) if len(steps) <= MOST_NAMES else f"{len(steps)} steps"


def _verdict_line(report: ExperimentReport) -> Text:
    count = sum(step.verdict == "Confirmed" for step in report.steps)
    text = Text(f"{report.experiment}: ")
    text.append(report.verdict, style=STYLES[report.verdict])
    return text.append(f" ({count} of {len(report.steps)} steps Confirmed)")
