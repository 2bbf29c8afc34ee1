"""What is seen of an experiment that a cluster performs, from its object and the auditor. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ValidationError

from racelab_operator.errors import RacelabError
from racelab_operator.race_status import RaceStatus
from racelab_operator.reconcile import interrupted
from racelab_operator.report.build import build_report
from racelab_operator.report.model import ExperimentReport, Operations, StepReport
from racelab_operator.status_mapping import remembered
from racelab_operator.verdict import overall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from racelab_operator.observed import Audit
    from racelab_operator.race_status import StepStatus
    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment

Race = dict[str, Any]

# The stages in which a step's run can be audited.
AUDITED_STAGES: Final = frozenset({"load", "ledger", "audit"})
_NOTHING: Final = RaceStatus()
NOT_SEEN_YET: Final = "waiting for the operator"


@dataclass(frozen=True, slots=True)
class Sight:
    """An experiment and its status when it was last seen; `ended`: how it came that there is nothing more to see."""

    experiment: Experiment
    race: RaceStatus = _NOTHING
    ended: Literal["finished", "gone"] | None = None

    def next(self, found: Race | None) -> Sight:
        """Look again; `found`: what has the experiment's name now.

        Raises:
            RacelabError: the status is none that this version can read.

        """
        if found is None or found["metadata"]["uid"] != self.experiment.uid:
            # Its time to live may be over before anybody saw the end.
            done = len(self.race.steps) == len(self.experiment.steps)
            return replace(self, ended="finished" if done else "gone")
        try:
            race = RaceStatus.model_validate(found.get("status") or {})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            message = f"status.{where}: {first['msg']}: use the command line of the cluster's version"
            raise RacelabError(f"{self.experiment.name}: {message}") from None
        return replace(self, race=race, ended="finished" if race.completion_time is not None else None)

    @property
    def waiting(self) -> str | None:
        """What it waits for that may take any time, in words; None while it is worked on."""
        hold = None if self.race.progress is None else self.race.progress.hold
        if self.ended is not None:
            return None
        if self.race.stage is None:
            return NOT_SEEN_YET
        if hold is None:
            return None
        if hold == "Suspended":
            return f"{self.race.message}: it goes on when spec.suspend is false"
        return self.race.message or hold

    def status(self, audits: Mapping[int, Audit]) -> Status:
        """Give the status as the brain had it; `audits`: those of ended steps, by index."""
        status = remembered(self.race)
        results = tuple(result.model_copy(update={"audit": audits.get(result.step)}) for result in status.results)
        return status.model_copy(update={"results": results, "message": self.waiting or status.message})

    def report(
        self, audits: Mapping[int, Audit], versions: Mapping[str, str], missing: str, now: float
    ) -> ExperimentReport:
        """Report what is known; `missing`: why the steps without a result have none.

        Figures come from the audits, else from the status, which has fewer. `now`: Unix seconds.
        """
        status = self.status(audits)
        if len(status.results) < len(self.experiment.steps):
            status = interrupted(self.experiment, status, missing, now)
        report = build_report(self.experiment, status)
        told = {step.index: step for step in self.race.steps}
        steps = tuple(
            _with_figures(step, told[index]) if index in told and index not in audits else step
            for index, step in enumerate(report.steps)
        )
        verdict = overall(step.verdict for step in steps)
        return report.model_copy(update={"steps": steps, "versions": dict(versions), "verdict": verdict})


def _with_figures(step: StepReport, told: StepStatus) -> StepReport:
    """Fill in what the status tells of a step."""
    figures = {
        "operations": told.operations and Operations(**told.operations.model_dump()),
        "lost": told.lost,
        "drift_cents": told.drift_cents,
        "absolute_drift_cents": told.absolute_drift_cents,
        "start_skew_microseconds": told.start_skew_microseconds,
    }
    return step.model_copy(update=figures)


def in_their_order(races: list[Race]) -> list[Race]:
    """Sort experiments as the operator performs them; suspended ones, which may take any time, come last."""
    return sorted(
        races,
        key=lambda race: (
            bool(race["spec"].get("suspend")) and not race["spec"].get("abort"),
            race["metadata"]["creationTimestamp"],
            race["metadata"]["name"],
        ),
    )
