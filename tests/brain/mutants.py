"""Deciders that are wrong in one way each: what the simulation's invariants must catch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from racelab_operator.actions import OpenRun, Restore, StartLoad, StopLoad
from racelab_operator.reconcile import decide
from racelab_operator.steps import run_key
from racelab_operator.turn import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_operator.observed import Observed
    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment


def starts_again_after_the_gate_opened(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    decision = decide(race, status, seen, now)
    step = race.steps[status.step]
    gone = all(seen.load(generator).phase == "absent" for generator in range(step.load.generators))
    if decision.status.stage == "load" and seen.run is not None and gone and not decision.actions:
        return Decision((StartLoad(step, run_key(race, step)),), decision.status)
    return decision


def forgets_that_the_gate_opened(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    return decide(race, status.model_copy(update={"run_seen": False, "gate_decided": False}), seen, now)


def never_restores(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    return _without(Restore, decide(race, status, seen, now))


def never_stops_a_load(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    return _without(StopLoad, decide(race, status, seen, now))


def _without(kind: type, decision: Decision) -> Decision:
    kept = tuple(action for action in decision.actions if not isinstance(action, kind))
    return Decision(kept, decision.status)


def confirms_without_histories(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    if seen.audit is not None:
        expected = seen.audit.histories.expected
        histories = seen.audit.histories.model_copy(update={"complete": expected, "lost": {}})
        outcome = "Consistent" if seen.audit.outcome == "Unknown" else seen.audit.outcome
        seen = replace(seen, audit=seen.audit.model_copy(update={"histories": histories, "outcome": outcome}))
    return decide(race, status, seen, now)


def ignores_the_queue(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    return decide(race, status, replace(seen, queued_behind=None), now)


def ignores_autoscalers(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    return decide(race, status, replace(seen, autoscaler=None), now)


def remembers_the_replicas_of_before_it_was_suspended(
    race: Experiment, status: Status, seen: Observed, now: float
) -> Decision:
    decision = decide(race, status, seen, now)
    resumed = status.stage == "spec" and decision.status.stage == "replicas"
    if resumed or decision.status.hold == "Suspended":
        kept = {"original_replicas": status.original_replicas or decision.status.original_replicas}
        return Decision(decision.actions, decision.status.model_copy(update=kept))
    return decision


def believes_nothing_until_a_clock_set_back_has_caught_up(
    race: Experiment, status: Status, seen: Observed, now: float
) -> Decision:
    if status.acted_at_milliseconds > now * 1000:
        return Decision((), status)
    return decide(race, status, seen, now)


def gives_up_giving_back_after_being_away(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    if status.stage == "report" and now > status.deadline and not status.finished:
        changes = {"completed_at": math.ceil(now), "restored": True, "verdict": "Unknown"}
        return Decision((), status.model_copy(update=changes))
    return decide(race, status, seen, now)


def forgets_a_step(race: Experiment, status: Status, seen: Observed, now: float) -> Decision:
    decision = decide(race, status, seen, now)
    if decision.status.finished and len(decision.status.results) > 1:
        return Decision((), decision.status.model_copy(update={"results": decision.status.results[:-1]}))
    return decision


def waits_for_ever_for_a_run_that_nobody_opens(
    race: Experiment, status: Status, seen: Observed, now: float
) -> Decision:
    decision = decide(race, status, seen, now)
    waiting = decision.status.model_copy(update={"deadline": math.ceil(now) + 100})
    return _without(OpenRun, decision if decision.status.stage != "load" else Decision(decision.actions, waiting))


#: Each with what is said of it.
MUTANTS: dict[Callable[[Experiment, Status, Observed, float], Decision], str] = {
    starts_again_after_the_gate_opened: "starts a load that may have begun",
    forgets_that_the_gate_opened: "began to send more than once",
    never_restores: "replicas are wanted in the end",
    never_stops_a_load: "still at work",
    confirms_without_histories: "is Confirmed and lost a generator",
    ignores_the_queue: "hold the target together",
    ignores_autoscalers: "scales while",
    remembers_the_replicas_of_before_it_was_suspended: "remembers",
    believes_nothing_until_a_clock_set_back_has_caught_up: "not finished",
    gives_up_giving_back_after_being_away: "replicas",
    forgets_a_step: "one result for each step",
    waits_for_ever_for_a_run_that_nobody_opens: "not finished",
}
