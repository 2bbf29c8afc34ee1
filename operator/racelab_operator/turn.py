"""One decision in the making: its arguments, and the ways to answer. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from racelab_operator.actions import Action, CloseRun, StopLoad
from racelab_operator.status import Hold, Stage, Status, StepResult
from racelab_operator.steps import run_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from racelab_operator.observed import Observed
    from racelab_operator.steps import Experiment, Step

READY_SECONDS: Final = 60
GRACE_SECONDS: Final = 5
STOP_SECONDS: Final = 30
RESTORE_SECONDS: Final = 60
AWAY_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, in this order, and the status to store before doing it."""

    actions: tuple[Action, ...]
    status: Status


@dataclass(frozen=True, slots=True)
class Turn:
    """The arguments of one decision, and the ways to answer."""

    experiment: Experiment
    status: Status
    observed: Observed
    now: float

    @property
    def step(self) -> Step:
        """The step that the status names."""
        return self.experiment.steps[self.status.step]

    @property
    def key(self) -> str:
        """The key of its run."""
        return run_key(self.experiment, self.step)

    @property
    def late(self) -> bool:
        """Whether the stage has lasted too long."""
        return self.now > self.status.deadline

    @property
    def was_away(self) -> bool:
        """Whether nothing has been done for so long that nobody can have been there."""
        return self.now - self.status.acted_at_milliseconds / 1000 > AWAY_SECONDS

    @property
    def running(self) -> bool:
        """Whether a generator of the step is at work."""
        return any(self.runs(generator) for generator in range(self.step.load.generators))

    def runs(self, generator: int) -> bool:
        """Whether one generator is at work."""
        return self.observed.load(generator).phase == "running"

    def seen(self, **changes: object) -> Turn:
        """Go on with a changed status."""
        status = self._with(changes)
        return self if status is self.status else Turn(self.experiment, status, self.observed, self.now)

    def _with(self, changes: Mapping[str, object]) -> Status:
        """Change the status; where nothing changes it stays the very same, and need not be stored again."""
        status = self.status
        if all(getattr(status, name) == value for name, value in changes.items()):
            return status
        return status.model_copy(update=changes)

    def wait(self, message: str = "") -> Decision:
        """Do nothing now, and say what is waited for."""
        return Decision((), self._with({"message": message}))

    def hold(self, why: Hold, message: str) -> Decision:
        """Wait for something that may take any time; the step's own time begins anew afterwards."""
        begun = self.status.stage != "spec"
        deadline = math.ceil(self.now + READY_SECONDS) if begun else self.status.deadline
        return self.seen(hold=why, deadline=deadline).wait(message)

    def act(self, message: str, *actions: Action) -> Decision:
        """Do something; only what is observed after it is believed."""
        changes = {"message": message, "acted_at_milliseconds": int(self.now * 1000)}
        return Decision(actions, self.status.model_copy(update=changes))

    def tried(self, message: str, seconds: float, *actions: Action) -> Decision | None:
        """Do something again until it shows, or the stage has lasted too long: None then."""
        return self.again(message, self.status.deadline, {"deadline": math.ceil(self.now + seconds)}, *actions)

    def again(self, message: str, until: float, renewed: Mapping[str, int], *actions: Action) -> Decision | None:
        """Do something again until then; None when that is past.

        Only the time in which it was tried counts: where nobody was there, `renewed` is what makes it begin anew.
        """
        if self.was_away:
            return self.seen(**renewed).act(message, *actions)
        return self.act(message, *actions) if self.now <= until else None

    def enter(self, stage: Stage, seconds: float, **changes: object) -> Decision:
        """Go to another stage, which may last so long."""
        deadline = math.ceil(self.now + seconds)
        fresh = {"stage": stage, "deadline": deadline, "missing_since": None, "silent_since": None, "hold": None}
        return Decision((), self.status.model_copy(update=fresh | {"message": ""} | changes))

    def conclude(self, result: StepResult) -> Decision:
        """Record a step's result and go to the next step, or to the report after the last one."""
        results = (*self.status.results, result)
        if self.experiment.abort and len(results) < len(self.experiment.steps):
            return self.seen(results=results).give_up("aborted")
        if len(results) == len(self.experiment.steps):
            return self.enter("report", RESTORE_SECONDS, results=results)
        return self.enter(
            "replicas", READY_SECONDS, results=results, step=len(results), run_seen=False, gate_decided=False
        )

    def unknown(self, reason: str) -> Decision:
        """Conclude the step without an audit."""
        result = StepResult(step=self.status.step, verdict="Unknown", outcome="Unknown", reason=reason)
        return self._leaving_no_open_run(self.conclude(result))

    def give_up(self, reason: str) -> Decision:
        """End the experiment: every step without a result is Unknown, for this reason."""
        ended = self.enter("report", RESTORE_SECONDS, results=filled(self.experiment, self.status, reason))
        return self._leaving_no_open_run(ended)

    def _leaving_no_open_run(self, decision: Decision) -> Decision:
        """Close the run of a step that is left without an audit; nothing hangs on whether that succeeds."""
        run = self.observed.run
        tried = self.status.stage == "ledger" or decision.actions
        if run is None or run.state == "closed" or tried:
            return decision
        return Decision((CloseRun(self.key),), decision.status)

    def missing(self, what: str, then: str) -> Decision:
        """Wait a little for something that must be there; then conclude the step as Unknown."""
        since = self.status.missing_since
        if since is None:
            return self.seen(missing_since=math.ceil(self.now)).wait(f"waiting for {what}")
        if self.now <= since + GRACE_SECONDS:
            return self.wait(f"waiting for {what}")
        until, renewed = since + GRACE_SECONDS + STOP_SECONDS, {"missing_since": math.ceil(self.now - GRACE_SECONDS)}
        stop = StopLoad(self.step, self.key)
        told = self.again("stopping the load", until, renewed, stop) if self.running else None
        return told or self.unknown(then)


def filled(experiment: Experiment, status: Status, reason: str) -> tuple[StepResult, ...]:
    """Give every step without a result the verdict Unknown, for this reason."""
    rest = range(len(status.results), len(experiment.steps))
    unknown = (StepResult(step=index, verdict="Unknown", outcome="Unknown", reason=reason) for index in rest)
    return (*status.results, *unknown)
