"""Thousands of seeded schedules of faults: the experiment ends, honestly, and gives back what it took."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from brain.samples import experiment
from brain.simulated_platform import Faults, World
from racelab_operator.reconcile import decide
from racelab_operator.status import Status
from racelab_operator.steps import Experiment, run_key
from racelab_operator.turn import Decision

if TYPE_CHECKING:
    from racelab_operator.observed import Observed

SCHEDULES_PER_TEST = 200
TESTS = 10
FAULTY_TURNS = 200
PATIENCE_TURNS = 3_000
ORIGINAL_REPLICAS = 2


@dataclass
class Chaos:
    """How the loop around `decide` misbehaves, per turn."""

    crash: float = 0.0
    repeat: float = 0.0
    lose: float = 0.0
    stale: float = 0.0
    lag: float = 0.0


@dataclass
class Schedule:
    """One performance of an experiment, with everything that happens to it drawn from a seed."""

    seed: int

    def __post_init__(self) -> None:
        rng = self.rng = random.Random(self.seed)
        generators = rng.choice([1, 1, 2, 3])
        self.experiment = experiment(
            strategies=rng.choice([["atomic_only"], ["atomic_only", "row_lock"]]),
            replicas=rng.choice([[3], [1, 3], [4, 2]]),
            load={"requests": 100, "generators": generators},
        )
        self.world = World(rng, self._some_faults(), ORIGINAL_REPLICAS)
        self.chaos = Chaos(*(rng.choice([0.0, 0.0, 0.1, 0.3]) for _ in range(5)))
        self.abort_at = rng.choice([None, None, None, rng.randrange(60)])
        self.suspend_from = rng.choice([None, None, rng.randrange(60)])
        self.stored = Status().model_dump_json()
        self.last: Observed | None = None

    def _some_faults(self) -> Faults:
        def rare() -> float:
            return self.rng.choice([0.0, 0.0, 0.0, 0.02, 0.1])

        return Faults(rare(), rare(), rare(), rare(), rare(), failure=self.rng.choice([0.0] * 9 + [0.01]))

    def perform(self) -> Status:
        """Turn the loop until the experiment is finished; the faults end after some time."""
        for turn in range(PATIENCE_TURNS):
            if turn == FAULTY_TURNS:
                self.world.faults, self.chaos = Faults(), Chaos()
            status = Status.model_validate_json(self.stored)
            if status.finished:
                return status
            self._turn(self._as_wanted(turn), status)
            self.world.tick(self.rng.uniform(0.1, 3))
        pytest.fail(f"seed {self.seed}: not finished: {self.stored}")

    def _as_wanted(self, turn: int) -> Experiment:
        suspended = self.suspend_from is not None and self.suspend_from <= turn < self.suspend_from + 40
        aborted = self.abort_at is not None and turn >= self.abort_at
        return replace(self.experiment, suspend=suspended, abort=aborted)

    def _turn(self, wanted: Experiment, status: Status) -> None:
        observed = self._observe(wanted, status)
        decision = decide(wanted, status, observed, self.world.now)
        assert decide(wanted, status, observed, self.world.now) == decision
        if self._happens(self.chaos.crash / 2):
            return  # before the status was stored: nothing was done either
        self.stored = decision.status.model_dump_json()
        self._act(wanted, decision)

    def _observe(self, wanted: Experiment, status: Status) -> Observed:
        if self.last is not None and self._happens(self.chaos.stale):
            return self.last
        self.world.lag = self._happens(self.chaos.lag)
        self.last = self.world.observe(wanted, status)
        return self.last

    def _act(self, wanted: Experiment, decision: Decision) -> None:
        for action in decision.actions:
            if self._happens(self.chaos.crash):
                return
            if not self._happens(self.chaos.lose):
                self.world.act(wanted, action)
            if self._happens(self.chaos.repeat):
                self.world.act(wanted, action)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability


@pytest.mark.parametrize("first_seed", range(0, SCHEDULES_PER_TEST * TESTS, SCHEDULES_PER_TEST))
def test_whatever_breaks_the_experiment_ends_honestly_and_gives_back_what_it_took(first_seed: int) -> None:
    verdicts: set[str] = set()
    for seed in range(first_seed, first_seed + SCHEDULES_PER_TEST):
        schedule = Schedule(seed)
        status = schedule.perform()
        world, steps = schedule.world, schedule.experiment.steps

        assert status.verdict is not None, seed
        assert [result.step for result in status.results] == [step.index for step in steps], seed
        assert status.restored, seed
        assert world.replicas_wanted == ORIGINAL_REPLICAS, seed
        assert max(world.sent.values(), default=0) <= 1, seed
        assert not any(load.phase == "running" and not load.stopped for load in world.generators.values()), seed
        for step, result in zip(steps, status.results, strict=True):
            verdicts.add(result.verdict)
            if result.verdict == "Confirmed":
                histories = world.runs[run_key(schedule.experiment, step)].histories
                states = [histories[generator].state for generator in range(step.load.generators)]
                assert states == ["complete"] * step.load.generators, seed
    assert verdicts == {"Confirmed", "Unknown"}


def test_without_faults_every_step_is_confirmed_and_sent_once() -> None:
    for seed in range(50):
        schedule = Schedule(seed)
        schedule.world.faults, schedule.chaos, schedule.abort_at = Faults(), Chaos(), None
        status = schedule.perform()

        assert {result.verdict for result in status.results} == {"Confirmed"}, seed
        assert set(schedule.world.sent.values()) == {1}, seed


def test_the_same_seed_gives_the_same_end() -> None:
    assert Schedule(11).perform() == Schedule(11).perform()
