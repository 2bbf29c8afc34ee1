"""A platform that exists only in memory, with its own time and as many faults as one likes.

It keeps to what docs/contracts.md says of the auditor and what a platform promises of its actions. `sent` counts how
often each generator of each run began to send: more than once is what must never happen.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from brain.samples import anomalous, audit
from racelab_operator import actions
from racelab_operator.observed import Audit, Gate, HistoryState, Load, LoadPhase, Observed, Run
from racelab_operator.steps import run_key

if TYPE_CHECKING:
    from random import Random

    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment, Step

LONGEST_LAG_SECONDS = 4


@dataclass
class Faults:
    """How likely each fault is, per turn of the loop; nothing by default."""

    generator_dies: float = 0
    generator_vanishes: float = 0
    generator_hangs: float = 0
    replica_dies: float = 0
    auditor_outage: float = 0
    failure: float = 0


@dataclass
class SimulatedRun:
    """A run of the auditor."""

    step: Step
    key: str
    registered: set[int] = field(default_factory=set)
    gate: Literal["waiting", "open"] = "waiting"
    histories: dict[int, HistoryState] = field(default_factory=dict)
    closed_at: float | None = None


@dataclass
class Generator:
    """A generator: it registers, waits for the gate, sends for a while, uploads and ends."""

    phase: LoadPhase = "running"
    reason: str = ""
    sending_until: float | None = None
    hangs: bool = False
    stopped: bool = False


class World:
    """Everything outside the brain: bank, auditor, generators, time."""

    def __init__(self, rng: Random, faults: Faults | None = None, original_replicas: int | None = 2) -> None:
        self.rng = rng
        self.faults = faults or Faults()
        self.now = 1_790_000_000.0
        self.replicas_wanted = original_replicas
        self.ready = original_replicas or 0
        self.runs: dict[str, SimulatedRun] = {}
        self.generators: dict[tuple[str, int], Generator] = {}
        self.sent: Counter[tuple[str, int]] = Counter()
        self.outage_until = 0.0
        self.failure: str | None = None
        self.lag = False
        self._before: deque[Observed] = deque(maxlen=4)

    # What a platform does

    def observe(self, experiment: Experiment, status: Status) -> Observed:
        step = experiment.steps[status.step]
        key = run_key(experiment, step)
        silent = self.now < self.outage_until
        run = None if silent else self.runs.get(key)
        now = Observed(
            at=self.now,
            step=status.step,
            replicas_wanted=self.replicas_wanted,
            ready_replicas=tuple(f"bank-{index}" for index in range(self.ready)),
            run=self._run(run) if run else None,
            loads=tuple(self._load(key, generator) for generator in range(step.load.generators)),
            audit=self._audit(run) if run and status.stage == "audit" else None,
            auditor_error="connection refused" if silent else None,
            failure=self.failure,
        )
        before = [seen for seen in self._before if seen.step == now.step and seen.at > now.at - LONGEST_LAG_SECONDS]
        self._before.append(now)
        if self.lag and before and status.stage == "load":
            return replace(now, run=before[0].run, loads=before[0].loads)  # it lags behind, and does not know it
        return now

    def act(self, experiment: Experiment, action: actions.Action) -> None:
        if isinstance(action, actions.Scale | actions.Restore):
            self.replicas_wanted = action.replicas
        elif isinstance(action, actions.StopLoad):
            for generator in range(action.step.load.generators):
                if (load := self.generators.get((action.key, generator))) is not None:
                    load.stopped = True
        elif self.now >= self.outage_until:
            self._ask_auditor(action)

    def _ask_auditor(self, action: actions.Action) -> None:
        match action:
            case actions.OpenRun(step, key):
                self.runs.setdefault(key, SimulatedRun(step, key))
            case actions.StartLoad(step, key):
                if self.runs[key].gate == "waiting":
                    for generator in range(step.load.generators):
                        self.generators.setdefault((key, generator), Generator())
            case actions.ReportLost(key, generator, reason):
                self.runs[key].histories.setdefault(generator, HistoryState(state="lost", reason=reason))
            case actions.CloseRun(key):
                run = self.runs[key]
                run.closed_at = self.now if run.closed_at is None else run.closed_at

    # How the world goes on

    def tick(self, seconds: float) -> None:
        self.now += seconds
        wanted = self.replicas_wanted or 0
        self.ready += (wanted > self.ready) - (wanted < self.ready)
        self._break_things()
        for (key, generator), load in list(self.generators.items()):
            if load.phase == "running":
                self._go_on(self.runs[key], generator, load)

    def _break_things(self) -> None:
        faults = self.faults
        if self._happens(faults.replica_dies):
            self.ready = max(0, self.ready - 1)
        if self._happens(faults.auditor_outage):
            self.outage_until = self.now + self.rng.choice([2, 20, 100])
        if self._happens(faults.failure):
            self.failure = "postgresql died: No space left on device"
        for place, load in list(self.generators.items()):
            if load.phase == "running" and self._happens(faults.generator_dies):
                load.phase, load.reason = "failed", "OOMKilled"
            elif self._happens(faults.generator_vanishes):
                del self.generators[place]
            elif self._happens(faults.generator_hangs):
                load.hangs = True

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability

    def _go_on(self, run: SimulatedRun, generator: int, load: Generator) -> None:
        if load.sending_until is not None:
            if load.stopped or (self.now >= load.sending_until and not load.hangs):
                self._upload(run, generator, load)
        elif load.stopped:
            load.phase, load.reason = "failed", "stopped before the gate opened"
        elif self.now >= self.outage_until:
            self._ask_gate(run, generator, load)

    def _ask_gate(self, run: SimulatedRun, generator: int, load: Generator) -> None:
        if run.gate == "waiting":
            run.registered.add(generator)
            if len(run.registered) == run.step.load.generators:
                run.gate = "open"
        if run.gate == "open" and generator in run.registered:
            self.sent[run.key, generator] += 1
            load.sending_until = self.now + self.rng.uniform(0, 10)

    def _upload(self, run: SimulatedRun, generator: int, load: Generator) -> None:
        if self.now >= self.outage_until:
            run.histories[generator] = HistoryState(state="complete")
            load.phase = "succeeded"
        else:
            load.phase, load.reason = "failed", "the history could not be uploaded"

    # What is seen of it

    def _load(self, key: str, generator: int) -> Load:
        load = self.generators.get((key, generator))
        return Load("absent") if load is None else Load(load.phase, load.reason)

    def _run(self, run: SimulatedRun) -> Run:
        return Run.model_construct(
            key=run.key,
            state="open" if run.closed_at is None else "closed",
            generators=run.step.load.generators,
            gate=Gate.model_construct(state=run.gate, registered=tuple(run.registered)),
            histories=dict(run.histories),
        )

    def _audit(self, run: SimulatedRun) -> Audit:
        races = run.step.claim.kind == "racy" and run.step.replicas > 1
        complete = sum(history.state == "complete" for history in run.histories.values())
        lost = {number: history.reason for number, history in run.histories.items() if history.state == "lost"}
        found = anomalous if races else audit
        outcome = "Anomalous" if races else "Consistent" if complete == run.step.load.generators else "Unknown"
        return found(
            run=run.key,
            final=run.closed_at is not None and self.now > run.closed_at + 1,
            outcome=outcome,
            replicas_seen=[f"bank-{index}" for index in range(run.step.replicas)],
            writers_seen=run.step.replicas,
            histories={"expected": run.step.load.generators, "complete": complete, "lost": lost},
        )
