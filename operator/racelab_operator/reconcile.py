"""Deciding what to do next. Pure: experiment, status, what is observed, the time → actions and the next status.

Level-based: nothing is remembered but the status, no decision hangs on having seen an event, and every action may be
done twice. A platform stores the status first and acts then, so whoever crashes in between decides the same again.

An experiment begins when the bank is free: before that, and while it is suspended, it holds in `spec` with nothing to
give back.

The way of a step: replicas (scaled and ready) → load (run open, generators at work, histories in) → ledger (run
closed) → audit (final) → the next step's replicas; after the last one → report (replicas given back).

A load starts at most once: only while its generators are absent and the gate was never seen to leave `waiting`;
whoever acts looks at the gate once more before starting. What is missing after that is reported lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from racelab_operator.actions import Action, CloseRun, OpenRun, ReportLost, Restore, Scale, StartLoad, StopLoad
from racelab_operator.status import Stage, Status, StepResult
from racelab_operator.turn import (
    GRACE_SECONDS,
    READY_SECONDS,
    RESTORE_SECONDS,
    STOP_SECONDS,
    Decision,
    Turn,
    filled,
)
from racelab_operator.verdict import judge, overall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from racelab_operator.observed import Observed, Run
    from racelab_operator.steps import Experiment, Step

AUDITOR_SECONDS: Final = 60
LOAD_SECONDS: Final = 180
CLOSE_SECONDS: Final = 60
AUDIT_SECONDS: Final = 180
_STAGE_SECONDS: Final[Mapping[Stage, float]] = {
    "spec": READY_SECONDS,
    "replicas": READY_SECONDS,
    "ledger": CLOSE_SECONDS,
    "audit": AUDIT_SECONDS,
    "report": RESTORE_SECONDS,
}


def decide(experiment: Experiment, status: Status, observed: Observed, now: float) -> Decision:
    """Decide what to do next. Calling it again with the same arguments gives the same answer.

    `now`: Unix seconds. The answer has no actions where there is something to wait for.
    """
    turn = Turn(experiment, status, observed, now)
    if status.finished:
        return Decision((), status)
    outdated = observed.step != status.step or int(observed.at * 1000) <= status.acted_at_milliseconds
    of_later = _of_later(turn)
    if outdated or of_later:  # what was seen before the last actions says nothing about now
        return Decision((), turn.seen(**of_later).status)
    if observed.failure is not None and status.stage not in {"spec", "report"}:
        return turn.give_up(observed.failure)
    if observed.autoscaler is not None and status.stage != "report" and observed.queued_behind is None:
        message = f"{observed.autoscaler} scales the bank as well: remove it while experiments run"
        return turn.seen(conflict=message, started_at=status.started_at or math.ceil(now)).give_up(message)
    if status.stage in {"load", "ledger", "audit"}:
        if observed.auditor_error is not None:
            return _silent_auditor(turn, observed.auditor_error)
        turn = turn.seen(silent_since=None)
    return _STAGES[status.stage](turn)


def _of_later(turn: Turn) -> dict[str, object]:
    """Correct what only a clock that was set back since can have put into the future; empty where nothing is.

    Nothing would be believed, and no deadline pass, before that clock's time has come again. What is seen now may be
    from before the last actions: only the next look is after them for certain.
    """
    status, now = turn.status, turn.now
    latest: dict[str, int] = {
        "acted_at_milliseconds": int(now * 1000),
        "missing_since": math.ceil(now),
        "silent_since": math.ceil(now),
        "deadline": math.ceil(now + _longest_seconds(turn)),
    }
    return {name: limit for name, limit in latest.items() if (getattr(status, name) or 0) > limit}


def _longest_seconds(turn: Turn) -> float:
    return _load_seconds(turn.step) if turn.status.stage == "load" else _STAGE_SECONDS[turn.status.stage]


def interrupted(experiment: Experiment, status: Status, reason: str, now: float) -> Status:
    """End at once, without acting: what has no result is Unknown for this reason."""
    results = filled(experiment, status, reason)
    words = [result.verdict for result in results]
    changes = {"stage": "report", "results": results, "completed_at": math.ceil(now), "verdict": overall(words)}
    return status.model_copy(update=changes)


def _spec(turn: Turn) -> Decision:
    """Wait until the bank is free, and remember what must be given back before anything is touched."""
    observed = turn.observed
    begun = turn.seen(started_at=turn.status.started_at or math.ceil(turn.now))
    if turn.experiment.abort:
        return begun.give_up("aborted")
    if turn.experiment.suspend:
        return turn.hold("Suspended", "suspended")
    if observed.queued_behind is not None:
        return turn.hold("Queued", f"waiting for {observed.queued_behind}")
    if observed.missing_target is not None:
        return turn.hold("TargetMissing", f"waiting for {observed.missing_target}")
    return begun.enter("replicas", READY_SECONDS, original_replicas=observed.replicas_wanted, restored=None)


def _replicas(turn: Turn) -> Decision:
    """Scale to the step's count and wait until that many are ready."""
    if turn.experiment.abort:
        return turn.give_up("aborted")
    if turn.experiment.suspend:
        return _suspended(turn)
    if turn.observed.missing_target is not None:
        return turn.hold("TargetMissing", f"waiting for {turn.observed.missing_target}")
    return _scaled(turn.seen(hold=None))


def _scaled(turn: Turn) -> Decision:
    observed, step = turn.observed, turn.step
    ready = len(observed.ready_replicas)
    if observed.replicas_wanted == step.replicas and ready == step.replicas:
        return turn.enter("load", _load_seconds(step))
    if observed.replicas_wanted != step.replicas:
        scaled = turn.tried(f"scaling to {step.replicas}", READY_SECONDS, Scale(step.replicas))
        if scaled is not None:
            return scaled
    if turn.late:
        return turn.unknown(f"only {ready} of {step.replicas} replicas became ready within {READY_SECONDS} s")
    return turn.wait(f"{ready} of {step.replicas} replicas are ready")


def _suspended(turn: Turn) -> Decision:
    """Give the replicas back, and hold before the next step; others may have the bank meanwhile."""
    original, observed = turn.status.original_replicas, turn.observed
    if original is not None and observed.missing_target is None and observed.replicas_wanted != original:
        held = turn.seen(hold="Suspended", deadline=math.ceil(turn.now + READY_SECONDS))
        return held.act("suspended: giving the replicas back", Restore(original))
    return turn.enter("spec", 0, hold="Suspended", original_replicas=None, restored=original is not None or None)


def _load_seconds(step: Step) -> float:
    """Bound a load generously: were every request to wait for all others, and take 50 ms beside the window."""
    load = step.load
    sending = load.duration_seconds or (load.requests or 0) * (step.window_milliseconds + 50) / 1000
    return LOAD_SECONDS + sending


def _silent_auditor(turn: Turn, error: str) -> Decision:
    """Wait for the auditor; without it no step can be judged, so the experiment ends."""
    since = turn.status.silent_since
    if since is None:
        return turn.seen(silent_since=math.ceil(turn.now)).wait("waiting for the auditor")
    if turn.now > since + AUDITOR_SECONDS:
        return turn.give_up(f"the auditor did not answer for {AUDITOR_SECONDS} s: {error}")
    return turn.wait("waiting for the auditor")


def _load(turn: Turn) -> Decision:
    """Open the run, start the generators once, and wait until each history is in or known to be lost."""
    run = turn.observed.run
    if run is None:
        return _no_run(turn)
    turn = turn.seen(run_seen=True, gate_decided=turn.status.gate_decided or run.gate.state != "waiting")
    generators = range(turn.step.load.generators)
    waited_for = [generator for generator in generators if generator not in run.histories]
    if not waited_for:
        return _all_known(turn, run)
    if turn.now > turn.status.deadline + 2 * STOP_SECONDS and not turn.was_away:
        return turn.give_up("the load could not be ended")
    if not turn.status.gate_decided and _all_absent(turn, generators):
        return _start(turn)
    return _missing_histories(turn, run, waited_for)


def _all_known(turn: Turn, run: Run) -> Decision:
    """Go on when nothing is at work any more whose history was given up, or would not end."""
    left = [index for index, history in run.histories.items() if history.state == "lost" and turn.runs(index)]
    until, renewed = turn.status.deadline + 2 * STOP_SECONDS, {"deadline": math.ceil(turn.now - STOP_SECONDS)}
    stop = StopLoad(turn.step, turn.key)
    told = turn.again("stopping the load", until, renewed, stop) if left else None
    return told or turn.enter("ledger", CLOSE_SECONDS)


def _no_run(turn: Turn) -> Decision:
    if turn.status.run_seen:
        return turn.missing("the run", "the run is gone: the database was emptied in mid-step")
    if turn.experiment.abort:
        return turn.give_up("aborted")
    if turn.late:
        return turn.unknown("the run could not be opened")
    return turn.act("opening the run", OpenRun(turn.step, turn.key))


def _all_absent(turn: Turn, generators: range) -> bool:
    return all(turn.observed.load(generator).phase == "absent" for generator in generators)


def _start(turn: Turn) -> Decision:
    if turn.experiment.abort:
        return turn.give_up("aborted")
    if turn.late:
        return turn.unknown("the load could not be started")
    return turn.act("starting the load", StartLoad(turn.step, turn.key))


def _missing_histories(turn: Turn, run: Run, waited_for: list[int]) -> Decision:
    """Report the histories lost that will never come; stop the load when it is to end."""
    lost, missing, running = _sorted_out(turn, waited_for)
    since = turn.status.missing_since
    if not missing:
        turn = turn.seen(missing_since=None)
    elif since is None:
        turn = turn.seen(missing_since=math.ceil(turn.now))
    elif turn.now > since + GRACE_SECONDS:
        lost |= missing
    message = _load_message(turn, running)
    # A generator that fell out before the gate opened keeps the others waiting for nothing.
    pointless = bool(lost) and run.gate.state == "waiting"
    stop: list[Action] = []
    if running and (turn.experiment.abort or turn.late or pointless):
        stop = [StopLoad(turn.step, turn.key)]
        until, renewed = turn.status.deadline + STOP_SECONDS, {"deadline": math.ceil(turn.now)}
        told = turn.again(message, until, renewed, *_reports(turn, lost), *stop)
        if told is not None:
            return told
        lost |= dict.fromkeys(running, "it could not be ended")
    actions = [*_reports(turn, lost), *stop]
    return turn.act(message, *actions) if actions else turn.wait(message)


def _reports(turn: Turn, lost: Mapping[int, str]) -> list[Action]:
    return [ReportLost(turn.key, generator, reason) for generator, reason in sorted(lost.items())]


def _load_message(turn: Turn, running: list[int]) -> str:
    """Say what the load waits for, where the platform knows it: a Pod that cannot be scheduled, for example."""
    pending = {index: turn.observed.load(index).reason for index in running if turn.observed.load(index).reason}
    if pending:
        return "; ".join(f"generator {index}: {reason}" for index, reason in pending.items())
    return "the load runs" if running else "waiting for the histories"


def _sorted_out(turn: Turn, waited_for: list[int]) -> tuple[dict[int, str], dict[int, str], list[int]]:
    """Sort generators without a history into failed, gone without one, and running."""
    lost: dict[int, str] = {}
    missing: dict[int, str] = {}
    running: list[int] = []
    for generator in waited_for:
        load = turn.observed.load(generator)
        match load.phase:
            case "running":
                running.append(generator)
            case "failed":
                lost[generator] = load.reason or "it failed"
            case "succeeded":
                missing[generator] = "it ended without a history"
            case "absent":
                missing[generator] = "it is gone"
    return lost, missing, running


def _ledger(turn: Turn) -> Decision:
    """Close the run, so that nothing is written any more."""
    run = turn.observed.run
    if run is None:
        return turn.missing("the run", "the run is gone: the database was emptied in mid-step")
    if run.state == "closed":
        return turn.enter("audit", AUDIT_SECONDS)
    # After a time in which nobody was there it is tried once more. Once: closing may itself take long.
    if turn.late and turn.status.acted_at_milliseconds > turn.status.deadline * 1000:
        return turn.unknown(f"the run could not be closed within {CLOSE_SECONDS} s")
    return turn.act("closing the run", CloseRun(turn.key))


def _audit(turn: Turn) -> Decision:
    """Wait for the final audit, and judge it."""
    audit = turn.observed.audit
    if audit is not None and audit.final and audit.run == turn.key:
        verdict = judge(turn.step, audit, turn.experiment.expect)
        return turn.conclude(
            StepResult(
                step=turn.step.index,
                verdict=verdict.word,
                outcome=audit.outcome,
                reason=verdict.reason,
                audit=audit,
            )
        )
    if turn.late:
        return turn.unknown(f"there was no final audit within {AUDIT_SECONDS} s")
    return turn.wait("waiting for the final audit")


def _report(turn: Turn) -> Decision:
    """Leave nothing running, give the replicas back, and give the verdict."""
    status, observed = turn.status, turn.observed
    original = status.original_replicas
    restored = original is None or observed.replicas_wanted == original or observed.missing_target is not None
    left: dict[str, Action] = {}
    # A generator of a step that was audited has told its history, and ends by itself.
    audited = bool(status.results) and status.results[-1].outcome != "Unknown"
    ending = turn.running and audited and turn.now <= status.deadline - RESTORE_SECONDS + GRACE_SECONDS
    if turn.running and not ending:
        left["stopping the load"] = StopLoad(turn.step, turn.key)
    if original is not None and not restored:
        left[f"giving back {original} replicas"] = Restore(original)
    if left and (tried := turn.tried(", ".join(left), RESTORE_SECONDS, *left.values())):
        return tried
    if ending:
        return turn.wait("waiting for the load to end")
    verdict = overall(result.verdict for result in status.results)
    message = f"the experiment is {verdict}"
    if not restored:
        message += f"; the replicas could not be set back to {original} within {RESTORE_SECONDS} s: do it by hand"
    changes = {"completed_at": math.ceil(turn.now), "restored": restored, "verdict": verdict, "message": message}
    return Decision((), status.model_copy(update=changes))


_STAGES: Final[Mapping[Stage, Callable[[Turn], Decision]]] = {
    "spec": _spec,
    "replicas": _replicas,
    "load": _load,
    "ledger": _ledger,
    "audit": _audit,
    "report": _report,
}
