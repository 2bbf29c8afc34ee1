"""Single decisions: what is done next in each situation."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from brain.samples import audit, experiment
from brain.simulated_platform import World
from racelab_operator import actions
from racelab_operator.observed import Gate, HistoryState, Load, LoadPhase, Observed, Run
from racelab_operator.reconcile import AUDITOR_SECONDS, decide, interrupted
from racelab_operator.status import Status, StepResult
from racelab_operator.steps import Experiment, run_key
from racelab_operator.turn import GRACE_SECONDS, READY_SECONDS, RESTORE_SECONDS, STOP_SECONDS, Decision

NOW = 1_790_000_000.0
RACE = experiment(replicas=[3, 1], load={"requests": 100, "generators": 2})
STEP = RACE.steps[0]
KEY = run_key(RACE, STEP)
LOADING = Status(stage="load", deadline=int(NOW) + 100, run_seen=True)
JUDGED = StepResult(step=0, verdict="Confirmed", outcome="Anomalous", reason="as claimed")
GIVING_BACK = Status(stage="report", original_replicas=5, deadline=int(NOW), results=(JUDGED, JUDGED))


def seen(**changes: Any) -> Observed:
    defaults: dict[str, Any] = {"at": NOW, "step": 0, "replicas_wanted": 3}
    return Observed(**(defaults | changes))


def loads(*phases: LoadPhase) -> tuple[Load, ...]:
    return tuple(Load(phase, "OOMKilled" if phase == "failed" else "") for phase in phases)


def run(gate: Any = "waiting", **changes: Any) -> Run:
    return Run(key=KEY, state="open", generators=2, gate=Gate(state=gate)).model_copy(update=changes)


def after(seconds: float, status: Status, observed: Observed, race: Experiment = RACE) -> Decision:
    return decide(race, status, observed, NOW + seconds)


def acted(status: Status, seconds: int) -> Status:
    return status.model_copy(update={"acted_at_milliseconds": (int(NOW) + seconds) * 1000})


def test_the_original_replicas_are_remembered_before_anything_is_touched() -> None:
    decision = decide(RACE, Status(), seen(replicas_wanted=5), NOW)
    assert decision.actions == ()
    assert (decision.status.stage, decision.status.original_replicas) == ("replicas", 5)


def test_replicas_are_scaled_and_waited_for() -> None:
    status = Status(stage="replicas", deadline=int(NOW) + READY_SECONDS)
    assert decide(RACE, status, seen(replicas_wanted=5), NOW).actions == (actions.Scale(3),)
    assert decide(RACE, status, seen(ready_replicas=("bank-0",)), NOW).status.message == "1 of 3 replicas are ready"
    ready = seen(ready_replicas=("bank-0", "bank-1", "bank-2"))
    assert decide(RACE, status, ready, NOW).status.stage == "load"


def test_replicas_that_do_not_come_make_the_step_unknown_and_the_next_one_goes_on() -> None:
    status = Status(stage="replicas", deadline=int(NOW) + READY_SECONDS)
    decision = after(READY_SECONDS + 1, status, seen(ready_replicas=("bank-0", "bank-1")))
    [result] = decision.status.results
    assert result.verdict == "Unknown"
    assert result.reason == "only 2 of 3 replicas became ready within 60 s"
    assert (decision.status.stage, decision.status.step) == ("replicas", 1)


def test_a_load_is_started_while_the_gate_waits_and_no_generator_is_there() -> None:
    decision = decide(RACE, LOADING, seen(run=run(), loads=loads("absent", "absent")), NOW)
    assert decision.actions == (actions.StartLoad(STEP, KEY),)


@pytest.mark.parametrize("gate", ["open", "failed"])
def test_a_load_whose_gate_has_left_waiting_is_never_started_again(gate: str) -> None:
    observed = seen(run=run(gate), loads=loads("absent", "absent"))
    first = decide(RACE, LOADING, observed, NOW)
    assert first.actions == ()
    later = after(GRACE_SECONDS + 2, first.status, observed)
    assert later.actions == (actions.ReportLost(KEY, 0, "it is gone"), actions.ReportLost(KEY, 1, "it is gone"))


def test_a_gate_that_was_ever_seen_open_stays_so_whatever_is_seen_later() -> None:
    opened = decide(RACE, LOADING, seen(run=run("open"), loads=loads("running", "running")), NOW).status
    assert decide(RACE, opened, seen(run=run(), loads=loads("absent", "absent")), NOW).actions == ()


def test_a_failed_generator_is_reported_lost_with_its_reason_and_the_other_is_not_kept_waiting() -> None:
    decision = decide(RACE, LOADING, seen(run=run(), loads=loads("failed", "running")), NOW)
    assert decision.actions == (actions.ReportLost(KEY, 0, "OOMKilled"), actions.StopLoad(STEP, KEY))
    sending = decide(RACE, LOADING, seen(run=run("open"), loads=loads("failed", "running")), NOW)
    assert sending.actions == (actions.ReportLost(KEY, 0, "OOMKilled"),)


def test_a_history_may_arrive_a_little_after_its_generator_has_ended() -> None:
    histories = {0: HistoryState(state="complete")}
    waiting = decide(
        RACE, LOADING, seen(run=run("open", histories=histories), loads=loads("succeeded", "succeeded")), NOW
    )
    assert waiting.actions == ()
    complete = run("open", histories=histories | {1: HistoryState(state="complete")})
    assert after(1, waiting.status, seen(run=complete, loads=loads("succeeded", "succeeded"))).status.stage == "ledger"


def test_a_load_that_does_not_end_is_stopped_and_then_its_histories_are_lost() -> None:
    working = {"run": run("open"), "loads": loads("running", "running")}
    stopping = after(101, LOADING, seen(**working))
    assert stopping.actions == (actions.StopLoad(STEP, KEY),)
    told = acted(stopping.status, 100 + STOP_SECONDS)
    lost = after(102 + STOP_SECONDS, told, seen(at=NOW + 102 + STOP_SECONDS, **working)).actions
    assert actions.ReportLost(KEY, 0, "it could not be ended") in lost
    assert actions.StopLoad(STEP, KEY) in lost


def test_a_load_is_told_to_end_before_it_is_given_up_also_after_nobody_was_there() -> None:
    working = {"run": run("open"), "loads": loads("running", "running")}
    back = after(1000, LOADING, seen(at=NOW + 1000, **working))
    assert back.actions == (actions.StopLoad(STEP, KEY),)
    assert back.status.deadline == NOW + 1000


def test_an_abort_stops_the_load_and_judges_what_was_done() -> None:
    race = experiment(replicas=[3, 1], load={"requests": 100, "generators": 2}, abort=True)
    observed = seen(run=run("open"), loads=loads("running", "running"))
    assert after(0, LOADING, observed, race).actions == (actions.StopLoad(STEP, KEY),)
    final = audit(run=KEY, histories={"expected": 2, "complete": 2}, replicas_seen=["a", "b", "c"])
    closed = run("open", state="closed")
    auditing = Status(stage="audit", deadline=int(NOW) + 100)
    done = after(0, auditing, seen(run=closed, audit=final), race).status
    assert [(result.verdict, result.reason) for result in done.results][1:] == [("Unknown", "aborted")]
    assert done.results[0].verdict == "NotReproduced"
    assert done.stage == "report"


def test_a_suspended_experiment_gives_the_replicas_back_and_goes_on_later() -> None:
    race = experiment(replicas=[3, 1], suspend=True)
    status = Status(stage="replicas", original_replicas=5, deadline=int(NOW) - 1000)
    held = decide(race, status, seen(), NOW)
    assert held.actions == (actions.Restore(5),)
    given_back = decide(race, held.status, seen(at=NOW + 1, replicas_wanted=5), NOW + 1).status
    assert (given_back.stage, given_back.hold, given_back.restored) == ("spec", "Suspended", True)
    resumed = decide(RACE, held.status, seen(at=NOW + 2, replicas_wanted=5), NOW + 2)
    assert resumed.actions == (actions.Scale(3),)


def test_a_dead_platform_ends_the_experiment_with_the_reason_in_every_step_left() -> None:
    decision = decide(RACE, LOADING, seen(failure="postgresql died: No space left on device"), NOW)
    assert {result.reason for result in decision.status.results} == {"postgresql died: No space left on device"}
    assert [result.verdict for result in decision.status.results] == ["Unknown", "Unknown"]
    assert decision.status.stage == "report"


def test_a_silent_auditor_is_waited_for_and_then_ends_the_experiment() -> None:
    observed = seen(auditor_error="connection refused", loads=loads("running", "running"))
    waiting = decide(RACE, LOADING, observed, NOW).status
    assert waiting.results == ()
    back = decide(RACE, waiting, seen(run=run("open"), loads=loads("running", "running")), NOW).status
    assert back.silent_since is None
    ended = after(AUDITOR_SECONDS + 2, waiting, observed).status
    assert {result.reason for result in ended.results} == {"the auditor did not answer for 60 s: connection refused"}
    assert after(AUDITOR_SECONDS + 3, ended, observed).actions == (actions.StopLoad(STEP, KEY),)


def test_a_step_that_is_given_up_leaves_no_open_run() -> None:
    given_up = decide(RACE, LOADING, seen(run=run("open"), failure="postgresql died"), NOW)
    assert given_up.actions == (actions.CloseRun(KEY),)
    assert decide(RACE, LOADING, seen(failure="postgresql died"), NOW).actions == ()


def test_a_run_that_disappears_makes_its_step_unknown_and_is_not_opened_again() -> None:
    observed = seen(run=None, loads=loads("succeeded", "succeeded"))
    first = decide(RACE, LOADING, observed, NOW)
    assert first.actions == ()
    later = after(GRACE_SECONDS + 2, first.status, observed)
    assert later.status.results[0].reason == "the run is gone: the database was emptied in mid-step"


def test_what_was_seen_before_the_last_actions_or_of_another_step_is_not_believed() -> None:
    acted = decide(RACE, Status(stage="replicas", deadline=int(NOW) + 9), seen(replicas_wanted=1), NOW).status
    ready = ("bank-0", "bank-1", "bank-2")
    assert decide(RACE, acted, seen(at=NOW - 1, ready_replicas=ready), NOW).status == acted
    assert decide(RACE, acted, seen(at=NOW + 1, step=1, ready_replicas=ready), NOW + 1).status == acted
    assert decide(RACE, acted, seen(at=NOW + 1, ready_replicas=ready), NOW + 1).status.stage == "load"


def test_replicas_that_cannot_be_given_back_are_told_and_do_not_hold_the_experiment() -> None:
    results = interrupted(RACE, Status(), "aborted", NOW).results
    tried = Status(stage="report", original_replicas=5, deadline=int(NOW), results=results)
    done = after(2, acted(tried, 0), seen(at=NOW + 2)).status
    assert (done.finished, done.restored) == (True, False)
    assert "could not be set back to 5" in done.message


def test_an_interruption_leaves_what_was_judged_and_calls_the_rest_unknown() -> None:
    judged = interrupted(experiment(), Status(), "x", NOW).results[0].model_copy(update={"verdict": "Refuted"})
    status = interrupted(RACE, Status(stage="load", step=1, results=(judged,)), "interrupted", NOW)
    assert [result.verdict for result in status.results] == ["Refuted", "Unknown"]
    assert status.finished
    assert status.verdict == "Refuted"


def test_a_generator_that_told_its_history_may_end_by_itself_before_it_is_told_to() -> None:
    judged = interrupted(RACE, Status(), "x", NOW).results[0].model_copy(update={"outcome": "Consistent"})
    status = Status(stage="report", results=(judged,), deadline=int(NOW) + RESTORE_SECONDS)
    waiting = decide(RACE, status, seen(loads=loads("running", "succeeded")), NOW + 1)
    assert (waiting.actions, waiting.status.finished) == ((), False)
    assert decide(RACE, status, seen(loads=loads("succeeded", "succeeded")), NOW + 1).status.finished
    late = after(GRACE_SECONDS + 2, status, seen(loads=loads("running", "succeeded")))
    assert late.actions == (actions.StopLoad(STEP, KEY),)


def test_a_finished_experiment_is_left_alone() -> None:
    status = interrupted(RACE, Status(), "interrupted", NOW)
    assert decide(RACE, status, World(Random(1)).observe(RACE, status), NOW) == Decision((), status)


@pytest.mark.parametrize(
    ("waited_for", "hold", "message"),
    [
        ({"queued_behind": "first"}, "Queued", "waiting for first"),
        ({"missing_target": "Deployment bank"}, "TargetMissing", "waiting for Deployment bank"),
        ({"queued_behind": "first", "autoscaler": "an autoscaler"}, "Queued", "waiting for first"),
    ],
)
def test_an_experiment_begins_only_when_the_bank_is_there_and_free(waited_for: Any, hold: str, message: str) -> None:
    held = decide(RACE, Status(), seen(**waited_for), NOW)
    assert held.actions == ()
    assert (held.status.stage, held.status.hold, held.status.message) == ("spec", hold, message)
    assert (held.status.started_at, held.status.original_replicas, held.status.holds_target) == (None, None, False)
    assert after(10_000, held.status, seen(**waited_for)).status == held.status
    begun = after(10_001, held.status, seen(replicas_wanted=4)).status
    assert (begun.stage, begun.hold, begun.original_replicas) == ("replicas", None, 4)
    assert begun.deadline == NOW + 10_001 + READY_SECONDS


@pytest.mark.parametrize("held", [{"queued_behind": "first"}, {"missing_target": "Deployment bank"}, {}])
def test_an_abort_ends_what_has_not_begun_and_it_never_had_the_bank(held: Any) -> None:
    waiting = decide(replace(RACE, suspend=not held), Status(), seen(**held), NOW).status
    aborted = after(1, waiting, seen(**held), replace(RACE, abort=True, suspend=not held))
    assert (aborted.actions, aborted.status.holds_target) == ((), False)
    done = after(2, aborted.status, seen(**held), replace(RACE, abort=True)).status
    assert (done.finished, done.restored, done.verdict) == (True, True, "Unknown")
    assert {result.reason for result in done.results} == {"aborted"}


def test_an_experiment_suspended_midway_lets_others_go_first_and_remembers_the_replicas_of_after_them() -> None:
    midway = Status(stage="replicas", step=1, original_replicas=5, deadline=int(NOW) + 9, results=(JUDGED,))
    given_back = decide(replace(RACE, suspend=True), midway, seen(step=1, replicas_wanted=5), NOW).status
    assert (given_back.stage, given_back.hold, given_back.holds_target) == ("spec", "Suspended", False)
    behind = after(1, given_back, seen(step=1, queued_behind="second")).status
    assert (behind.stage, behind.hold) == ("spec", "Queued")
    resumed = after(2, behind, seen(step=1, replicas_wanted=7)).status
    assert (resumed.stage, resumed.step, resumed.original_replicas, resumed.restored) == ("replicas", 1, 7, None)
    assert resumed.results == (JUDGED,)


def test_a_target_that_goes_midway_is_waited_for_and_the_step_has_its_whole_time_afterwards() -> None:
    scaling = Status(stage="replicas", original_replicas=5, deadline=int(NOW) + 9)
    gone = seen(replicas_wanted=None, missing_target="Deployment bank")
    held = after(1000, scaling, gone).status
    assert (held.stage, held.hold, held.holds_target) == ("replicas", "TargetMissing", True)
    back = after(1001, held, seen(at=NOW + 1001, replicas_wanted=2))
    assert back.actions == (actions.Scale(3),)
    assert (back.status.hold, back.status.original_replicas) == (None, 5)


def test_a_target_that_is_gone_in_the_end_needs_nothing_given_back() -> None:
    gone = seen(replicas_wanted=None, missing_target="Deployment bank")
    done = after(1, GIVING_BACK, gone).status
    assert (done.finished, done.restored) == (True, True)


def test_where_something_else_scales_the_bank_an_experiment_does_not_begin() -> None:
    refused = decide(RACE, Status(), seen(autoscaler="HorizontalPodAutoscaler bank"), NOW)
    assert (refused.actions, refused.status.stage, refused.status.holds_target) == ((), "report", False)
    assert (
        refused.status.conflict
        == "HorizontalPodAutoscaler bank scales the bank as well: remove it while experiments run"
    )
    assert refused.status.started_at == NOW
    assert {result.reason for result in refused.status.results} == {refused.status.conflict}


def test_an_autoscaler_that_comes_in_mid_load_ends_the_experiment_and_the_replicas_go_back() -> None:
    sending = {"run": run("open"), "loads": loads("running", "running"), "autoscaler": "HorizontalPodAutoscaler bank"}
    loading = LOADING.model_copy(update={"original_replicas": 5})
    ended = decide(RACE, loading, seen(**sending), NOW).status
    assert (ended.stage, ended.conflict is None) == ("report", False)
    left = after(1, ended, seen(**sending))
    assert left.actions == (actions.StopLoad(STEP, KEY), actions.Restore(5))


def test_a_generator_that_cannot_start_yet_says_why() -> None:
    pending = (Load("running", "0/1 nodes are available: Insufficient cpu"), Load("running"))
    waiting = decide(RACE, LOADING, seen(run=run(), loads=pending), NOW).status
    assert waiting.message == "generator 0: 0/1 nodes are available: Insufficient cpu"


def test_a_generator_whose_history_was_given_up_is_ended_before_the_experiment_goes_on() -> None:
    known = {0: HistoryState(state="complete"), 1: HistoryState(state="lost", reason="it could not be ended")}
    working = seen(run=run("open", histories=known), loads=loads("succeeded", "running"))
    stopping = decide(RACE, LOADING, working, NOW)
    assert stopping.actions == (actions.StopLoad(STEP, KEY),)
    ended = seen(at=NOW + 1, run=run("open", histories=known), loads=loads("succeeded", "succeeded"))
    assert after(1, stopping.status, ended).status.stage == "ledger"
    tried = stopping.status.model_copy(update={"deadline": int(NOW) - 2 * STOP_SECONDS})
    assert after(2, tried, replace(working, at=NOW + 2)).status.stage == "ledger"


@pytest.mark.parametrize(
    ("status", "observed", "action"),
    [
        (Status(stage="replicas", deadline=int(NOW)), {"replicas_wanted": 1}, actions.Scale(3)),
        (Status(stage="ledger", deadline=int(NOW)), {"run": run("open")}, actions.CloseRun(KEY)),
        (GIVING_BACK, {}, actions.Restore(5)),
    ],
)
def test_an_operator_that_was_away_tries_again_and_gives_up_only_after_trying(
    status: Status, observed: Any, action: actions.Action
) -> None:
    back = after(70, acted(status, 0), seen(at=NOW + 70, **observed))
    assert back.actions == (action,)
    still = acted(back.status, 130)
    assert after(131, still, seen(at=NOW + 131, **observed)).actions == ()


@pytest.mark.parametrize("back_seconds", [0.5, 60, 100_000_000])
def test_a_clock_that_is_set_back_costs_one_look(back_seconds: float) -> None:
    later = NOW + back_seconds
    of_later: dict[str, int] = {"missing_since": int(later) + 1, "silent_since": int(later) + 1}
    status = LOADING.model_copy(
        update=of_later | {"acted_at_milliseconds": int(later * 1000), "deadline": int(later) + 10_000}
    )
    gone = {"run": run("open"), "loads": loads("absent", "absent")}
    corrected = decide(RACE, status, seen(**gone), NOW)
    assert corrected.actions == ()
    assert corrected.status.deadline < NOW + 200
    first = decide(RACE, corrected.status, seen(at=NOW + 0.1, **gone), NOW + 0.1).status
    assert first.message == "waiting for the histories"
    assert len(after(GRACE_SECONDS + 3, first, seen(at=NOW + 8, **gone)).actions) == 2
