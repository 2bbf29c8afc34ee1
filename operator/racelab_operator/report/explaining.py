"""Adding to a report who was lost, and to whom. The auditor is asked after an experiment: no step is slowed by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from racelab_operator.auditor import AuditorError
from racelab_operator.interruption import Interruption
from racelab_operator.report.model import Interleaving, Interleavings

if TYPE_CHECKING:
    from racelab_operator.observed import Explained
    from racelab_operator.observed import Interleavings as Answer
    from racelab_operator.report.model import ExperimentReport

MOST_PER_STEP: Final = 3
#: A report stays small, whatever an auditor answers: longer drawings are left out, longer texts are cut.
LONGEST_SVG: Final = 100_000
LONGEST_TEXT: Final = 20_000


class Explainer(Protocol):
    """Who knows the interleavings of runs: the auditor's client."""

    def interleavings(self, key: str, operation: str | None, limit: int, *, drawing: bool) -> Answer | None:
        """Give some of a run; None when there is no such run."""


class Explaining:
    """Adds the first interleavings of each step that showed an anomaly; without an `explainer`, why there are none.

    Asking costs the auditor the whole history of a run, so steps without an anomaly are not asked for. An auditor that
    cannot tell is not asked again, and fails nothing; neither does an interruption, which `interrupted` tells of.
    """

    def __init__(self, explainer: Explainer | None, why_none: str = "nobody could be asked") -> None:
        self._explainer = explainer
        self._why_none = why_none
        self.interrupted = False

    def add(self, report: ExperimentReport) -> ExperimentReport:
        """Return the report with what could be told."""
        steps = (
            step.model_copy(update={"interleavings": self._told(step.run)}) if step.outcome == "Anomalous" else step
            for step in report.steps
        )
        return report.model_copy(update={"steps": tuple(steps)})

    def _told(self, run: str) -> Interleavings:
        if self._explainer is not None:
            try:
                return _asked(self._explainer, run)
            except AuditorError as error:
                self._explainer, self._why_none = None, f"the auditor could not tell: {error}"
            except Interruption:
                self._explainer, self._why_none, self.interrupted = None, "interrupted", True
        return Interleavings(count=None, missing=self._why_none, first=())


def _asked(explainer: Explainer, run: str) -> Interleavings:
    found = explainer.interleavings(run, None, MOST_PER_STEP, drawing=True)
    if found is None:
        return Interleavings(count=None, missing="the auditor does not have the run any more", first=())
    first = tuple(_kept(one) for one in found.interleavings[:MOST_PER_STEP])
    missing = None if first else found.told or "the auditor shows none"
    return Interleavings(count=found.count, missing=missing, first=first)


def _kept(one: Explained) -> Interleaving:
    svg = one.svg if one.svg is not None and len(one.svg) <= LONGEST_SVG else None
    return Interleaving(
        kind=one.kind,
        operations=one.operations,
        sentence=one.sentence[:LONGEST_TEXT],
        text=one.text[:LONGEST_TEXT],
        svg=svg,
    )
