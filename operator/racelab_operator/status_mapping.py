"""Between the brain's status and the one that is kept on the experiment in a cluster. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from racelab_operator.money import cents_as_text
from racelab_operator.race_status import (
    Condition,
    ConditionType,
    CurrentStep,
    ProgressMemory,
    RaceStatus,
    StepStatus,
)
from racelab_operator.status import Status, StepResult
from racelab_operator.steps import run_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from racelab_operator.steps import Experiment

_MEMORY: Final = tuple(ProgressMemory.model_fields)
# A reason is one word of letters and digits; these are the stages, as conditions write them.
_Told = tuple[Literal["True", "False", "Unknown"], str, str]


def remembered(race: RaceStatus) -> Status:
    """Read what the brain stored; the audits of ended steps stay in the auditor."""
    memory = race.progress or ProgressMemory()
    return Status(
        **memory.model_dump(),
        original_replicas=race.original_replicas,
        started_at=_seconds(race.start_time),
        completed_at=_seconds(race.completion_time),
        verdict=race.verdict,
        message=race.message or "",
        results=tuple(
            StepResult(step=step.index, verdict=step.verdict, outcome=step.outcome, reason=step.reason)
            for step in race.steps
        ),
    )


def told(experiment: Experiment, status: Status, before: RaceStatus, generation: int, now: float) -> RaceStatus:
    """Write what the brain wants stored; `now`: Unix seconds, for conditions that change."""
    # Ended steps are never changed again: what was told of them, with their audit at hand, stays.
    ended = (*before.steps, *(_step(experiment, result) for result in status.results[len(before.steps) :]))
    step = experiment.steps[status.step]
    lost = [ended_step.lost for ended_step in ended if ended_step.lost is not None]
    drifts = [ended_step.drift_cents for ended_step in ended if ended_step.drift_cents is not None]
    return RaceStatus(
        observed_generation=generation,
        conditions=_conditions(status, before, generation, now),
        start_time=_time(status.started_at),
        completion_time=_time(status.completed_at),
        original_replicas=status.original_replicas,
        stage=status.hold or status.stage,
        message=status.message or None,
        step=CurrentStep(index=step.index, name=step.name, position=f"{step.index + 1}/{len(experiment.steps)}"),
        steps=ended,
        verdict=status.verdict,
        lost=sum(lost) if lost else None,
        drift_cents=sum(drifts) if drifts else None,
        drift=cents_as_text(sum(drifts)) if drifts else None,
        progress=ProgressMemory(**{name: getattr(status, name) for name in _MEMORY}),
    )


def _step(experiment: Experiment, result: StepResult) -> StepStatus:
    step, audit = experiment.steps[result.step], result.audit
    return StepStatus(
        index=step.index,
        name=step.name,
        strategy=step.strategy,
        isolation=step.isolation,
        replicas=step.replicas,
        window_milliseconds=step.window_milliseconds,
        outcome=result.outcome,
        verdict=result.verdict,
        reason=result.reason,
        run=run_key(experiment, step),
        operations=audit and audit.operations,
        lost=audit and audit.lost,
        drift_cents=audit and audit.drift_cents,
        absolute_drift_cents=audit and audit.absolute_drift_cents,
        start_skew_microseconds=audit and audit.start_skew_microseconds,
        replicas_seen=audit and len(audit.replicas_seen),
    )


def _conditions(status: Status, before: RaceStatus, generation: int, now: float) -> tuple[Condition, ...]:
    wanted: Iterable[tuple[ConditionType, _Told]] = (
        ("Progressing", _progressing(status)),
        ("Succeeded", _succeeded(status)),
        ("ScaleConflict", _scale_conflict(status)),
        ("Restored", _restored(status)),
    )
    since = {condition.type: (condition.status, condition.last_transition_time) for condition in before.conditions}
    conditions = []
    for kind, (value, reason, message) in wanted:
        known_value, known_since = since.get(kind, (None, None))
        kept = known_since if known_value == value else None
        conditions.append(
            Condition(
                type=kind,
                status=value,
                reason=reason,
                message=message,
                observed_generation=generation,
                last_transition_time=kept or datetime.fromtimestamp(int(now), UTC),
            )
        )
    return tuple(conditions)


def _progressing(status: Status) -> _Told:
    if status.finished:
        return "False", "Finished", status.message
    if status.hold is not None:
        return "False", status.hold, status.message
    return "True", status.stage.capitalize(), status.message


def _succeeded(status: Status) -> _Told:
    if status.verdict is None:
        return "Unknown", "NotFinished", ""
    return "True" if status.verdict == "Confirmed" else "False", status.verdict, status.message


def _scale_conflict(status: Status) -> _Told:
    if status.conflict is not None:
        return "True", "Autoscaler", status.conflict
    return "False", "NoAutoscaler", ""


def _restored(status: Status) -> _Told:
    if status.restored is False:
        return "False", "Failed", status.message
    if status.original_replicas is None or (status.finished and status.restored):
        return "True", "NothingTaken" if status.original_replicas is None else "GivenBack", ""
    return "False", "InUse", f"before, the bank had {status.original_replicas}"


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
