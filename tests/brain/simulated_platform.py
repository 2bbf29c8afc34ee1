"""A platform that exists only in memory, with its own time and as many faults as one likes.

It keeps to what docs/contracts.md says of the auditor and what a platform promises of its actions. `sent` counts how
often each generator of each run began to send: more than once is what must never happen.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from brain.simulated_faults import LONGEST_OUTAGE_SECONDS, Faults
from brain.simulated_runs import Generator, SimulatedRun
from racelab_operator import actions
from racelab_operator.observed import ABSENT, HistoryState, Load, Observed
from racelab_operator.steps import run_key

if TYPE_CHECKING:
    from random import Random

    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment

__all__ = ["Faults", "World"]

LONGEST_LAG_SECONDS = 4
STARTED = 1_790_000_000.0
REPLICAS = [tuple(f"bank-{index}" for index in range(count)) for count in range(10)]


class World:
    """Everything outside the brain: bank, auditor, generators, time.

    `now` is the true time, `clock` what the operator's clock shows. `owed` is how many replicas the target must have
    when no experiment holds it; `held` says whether one does, and whoever performs experiments keeps it up to date.
    `faults_seen` counts what has happened.
    """

    def __init__(self, rng: Random, faults: Faults | None = None, original_replicas: int | None = 2) -> None:
        self.rng = rng
        self.faults = faults or Faults()
        self.now = STARTED
        self.clock_offset = 0
        self.replicas_wanted = self.owed = original_replicas
        self.ready = original_replicas or 0
        self.target_gone_until: float | None = None
        self.autoscaler_until = 0.0
        self.edits_refused_until = 0.0
        self.refusals_are_told = False
        self.refusal: str | None = None
        self.outage_until = 0.0
        self.failure: str | None = None
        self.runs: dict[str, SimulatedRun] = {}
        self.generators: dict[tuple[str, int], list[Generator]] = {}
        self.sent: Counter[tuple[str, int]] = Counter()
        self.uploaded: Counter[tuple[str, int]] = Counter()
        self.faults_seen: Counter[str] = Counter()
        self.lag = False
        self.held = False
        self.may_be_scaled_by_hand = True
        self._before: deque[tuple[str, Observed]] = deque(maxlen=4)

    @property
    def clock(self) -> float:
        """What the operator takes for the time, in Unix seconds."""
        return self.now + self.clock_offset

    # What a platform does

    def observe(self, experiment: Experiment, status: Status, queued_behind: str | None = None) -> Observed:
        key = run_key(experiment, experiment.steps[status.step])
        silent = self.now < self.outage_until
        run = None if silent else self.runs.get(key)
        gone = self.target_gone_until is not None
        now = Observed(
            at=self.clock,
            step=status.step,
            replicas_wanted=None if gone else self.replicas_wanted,
            ready_replicas=REPLICAS[self.ready],
            run=run.shown() if run else None,
            loads=self._loads(key, experiment.steps[status.step].load.generators),
            audit=run.audit(self.now) if run and status.stage == "audit" else None,
            auditor_error="connection refused" if silent else None,
            failure=self.failure or self.refusal,
            queued_behind=queued_behind,
            missing_target="the Deployment lab-bank" if gone else None,
            autoscaler="the HorizontalPodAutoscaler lab-bank" if self.now < self.autoscaler_until else None,
        )
        self.refusal = None
        before = now
        if self.lag and status.stage == "load":
            oldest = now.at - LONGEST_LAG_SECONDS
            recent = (seen for seen_key, seen in self._before if seen_key == key and seen.at > oldest)
            before = next((seen for seen in recent if (seen.run is None) == (now.run is None)), now)
        self._before.append((key, now))
        # Where it lags behind, it does not know it.
        return now if before is now else replace(now, run=before.run, loads=before.loads)

    def act(self, experiment: Experiment, action: actions.Action) -> None:
        if isinstance(action, actions.OpenRun | actions.ReportLost | actions.CloseRun):
            if self.now >= self.outage_until:
                self._ask_auditor(action)
        elif self.now >= self.edits_refused_until:
            self._edit(action)
        elif self.refusals_are_told:
            self.refusal = "the API server refused it: forbidden"

    def _edit(self, action: actions.Scale | actions.Restore | actions.StartLoad | actions.StopLoad) -> None:
        match action:
            case actions.Scale(replicas) | actions.Restore(replicas):
                if self.target_gone_until is None:
                    self.replicas_wanted = replicas
            case actions.StopLoad(step, key):
                for generator in range(step.load.generators):
                    for load in self.generators.get((key, generator), ()):
                        load.stopped = True
            case actions.StartLoad(step, key):
                run = self.runs.get(key) if self.now >= self.outage_until else None
                if run is not None and run.gate == "waiting":
                    for generator in range(step.load.generators):
                        self.generators.setdefault((key, generator), [Generator()])

    def _ask_auditor(self, action: actions.OpenRun | actions.ReportLost | actions.CloseRun) -> None:
        if isinstance(action, actions.OpenRun):
            self.runs.setdefault(action.key, SimulatedRun(action.step, action.key))
        elif (run := self.runs.get(action.key)) is not None:
            if isinstance(action, actions.CloseRun):
                run.close(self.now)
            elif action.generator not in run.histories:
                run.store(action.generator, HistoryState.model_construct(state="lost", reason=action.reason))

    # How the world goes on

    def tick(self, seconds: float) -> None:
        self.now += seconds
        if self.target_gone_until is not None and self.now >= self.target_gone_until:
            self.target_gone_until, self.replicas_wanted, self.ready = None, self.owed, 0
        wanted = self.replicas_wanted or 0
        self.ready += (wanted > self.ready) - (wanted < self.ready)
        self.faults.strike(self)
        for (key, generator), loads in self.generators.items():
            for load in loads:
                if load.phase == "running":
                    self._go_on(key, generator, load)

    def settle(self) -> None:
        """Let all that is under way come to its end, without another fault."""
        self.faults = Faults()
        for _ in range(8):
            self.tick(LONGEST_OUTAGE_SECONDS / 4)

    def _go_on(self, key: str, generator: int, load: Generator) -> None:
        if load.sending_until is not None:
            if load.stopped or (self.now >= load.sending_until and not load.hangs):
                self._upload(key, generator, load)
        elif load.stopped:
            load.fail("stopped before the gate opened")
        elif self.now >= self.outage_until:
            if (run := self.runs.get(key)) is None:
                load.fail("no such run")
            elif run.ask_gate(generator, load, self.now):
                run.replicas_seen = max(run.replicas_seen, min(self.ready, run.step.replicas))
                self.sent[key, generator] += 1
                load.sending_until = self.now + self.rng.uniform(0, 10)

    def _upload(self, key: str, generator: int, load: Generator) -> None:
        run = self.runs.get(key)
        if run is None or self.now < self.outage_until:
            load.fail("the history could not be uploaded")
        else:
            run.store(generator, HistoryState.model_construct(state="complete", reason=None))
            self.uploaded[key, generator] += 1
            load.phase = "succeeded"

    def _loads(self, key: str, count: int) -> tuple[Load, ...]:
        """Say of each generator that it runs while one of its Pods does; else what became of its newest Pod."""
        if (key, 0) not in self.generators and (key, count - 1) not in self.generators:
            return ()
        return tuple(self._load(self.generators.get((key, generator), ())) for generator in range(count))

    @staticmethod
    def _load(loads: list[Generator] | tuple[()]) -> Load:
        if not loads:
            return ABSENT
        shown = next((load for load in loads if load.phase == "running"), loads[-1])
        return Load(shown.phase, shown.reason)
