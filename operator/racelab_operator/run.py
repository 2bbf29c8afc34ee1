"""Performing an experiment: observe, decide, act, until there is a verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from racelab_operator.interruption import Interruption
from racelab_operator.reconcile import decide, interrupted
from racelab_operator.report.build import build_report
from racelab_operator.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.observed import Observed
    from racelab_operator.platforms import Platform
    from racelab_operator.report.model import ExperimentReport
    from racelab_operator.steps import Experiment

PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an experiment stands after one turn of the loop."""

    experiment: Experiment
    status: Status
    observed: Observed


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of an experiment; `interrupted` when it was ended before its time."""

    report: ExperimentReport
    status: Status
    interrupted: bool


def run_experiment(
    experiment: Experiment,
    platform: Platform,
    on_progress: Callable[[Progress], None],
    *,
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], None] = time.sleep,
) -> Performance:
    """Perform an experiment to its end, or until an `Interruption`: the steps not done are Unknown then."""
    status = Status()
    stopped = False
    try:
        while not status.finished:
            observed = platform.observe(experiment, status)
            decision = decide(experiment, status, observed, clock())
            waiting = not decision.actions and decision.status.stage == status.stage
            status = decision.status
            on_progress(Progress(experiment, status, observed))
            for action in decision.actions:
                platform.act(experiment, action)
            if waiting and not status.finished:
                pause(PAUSE_SECONDS)
    except Interruption:
        stopped = True
        if not status.finished:
            status = interrupted(experiment, status, "interrupted", clock())
    return Performance(build_report(experiment, status), status, stopped)
