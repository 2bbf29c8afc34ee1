"""Thousands of seeded schedules of faults: the experiments end, honestly, and give back what they took.

`RACELAB_SEED=N` performs only that schedule, and tells it turn by turn.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from brain.mutants import MUTANTS
from brain.simulated_faults import Faults
from brain.simulated_schedule import Schedule, ViolationError
from racelab_operator.actions import Restore, Scale
from racelab_operator.reconcile import decide

if TYPE_CHECKING:
    from brain.simulated_schedule import Decider
    from racelab_operator.observed import Observed
    from racelab_operator.status import Status
    from racelab_operator.steps import Experiment
    from racelab_operator.turn import Decision

SCHEDULES = 10_000
SCHEDULES_PER_TEST = 1_000
SCHEDULES_PER_MUTANT = 1_000
ONE_SEED = os.environ.get("RACELAB_SEED")
SEEDS = (
    [range(first, first + SCHEDULES_PER_TEST) for first in range(0, SCHEDULES, SCHEDULES_PER_TEST)]
    if ONE_SEED is None
    else [range(int(ONE_SEED), int(ONE_SEED) + 1)]
)


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"from seed {seeds.start}")
def test_whatever_breaks_the_experiments_end_honestly_and_give_back_what_they_took(seeds: range) -> None:
    for seed in seeds:
        schedule = Schedule(seed, traced=ONE_SEED is not None)
        try:
            schedule.perform()
        finally:
            if schedule.traced:
                print(*schedule.trace, sep="\n")


def test_without_faults_every_step_is_confirmed_and_sent_once() -> None:
    for seed in range(50):
        schedule = Schedule(seed, faulty=False)
        statuses = schedule.perform()

        assert {result.verdict for status in statuses for result in status.results} == {"Confirmed"}, seed
        assert set(schedule.world.sent.values()) == {1}, seed


def test_the_schedules_come_to_every_fault_every_way_to_hold_and_both_ends() -> None:
    faults: Counter[str] = Counter()
    told: Counter[str] = Counter()

    def watched(race: Experiment, status: Status, observed: Observed, now: float) -> Decision:
        decision = decide(race, status, observed, now)
        told[decision.status.hold or decision.status.stage] += 1
        told.update(["ScaleConflict"] if decision.status.conflict else [])
        told.update(type(action).__name__ for action in decision.actions)
        if decision.status.finished:
            told.update(result.verdict for result in decision.status.results)
        return decision

    for seed in range(300):
        schedule = Schedule(seed, watched)
        schedule.perform()
        faults += schedule.world.faults_seen

    assert faults.keys() == Faults.strikes.keys()
    assert told.keys() >= {"Queued", "Suspended", "TargetMissing", "ScaleConflict", "Confirmed", "Unknown"}
    assert told.keys() >= {
        "StartLoad",
        "StopLoad",
        "ReportLost",
        "OpenRun",
        "CloseRun",
        Scale.__name__,
        Restore.__name__,
    }


@pytest.mark.parametrize(("mutant", "caught"), MUTANTS.items(), ids=[mutant.__name__ for mutant in MUTANTS])
def test_a_decider_that_is_wrong_in_one_way_is_caught(mutant: Decider, caught: str) -> None:
    def many() -> None:
        for seed in range(SCHEDULES_PER_MUTANT):
            Schedule(seed, mutant).perform()

    with pytest.raises(ViolationError, match=caught):
        many()


def test_a_seed_replays_turn_by_turn_also_in_another_process() -> None:
    code = "\n".join(
        [
            "from brain.simulated_schedule import Schedule",
            "for seed in range(20):",
            "    schedule = Schedule(seed, traced=True)",
            "    schedule.perform()",
            "    print(*schedule.trace, sep='\\n')",
        ]
    )
    other = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, "-c", code], env=other, capture_output=True, text=True, check=True).stdout
    here = []
    for seed in range(20):
        schedule = Schedule(seed, traced=True)
        schedule.perform()
        here += schedule.trace

    assert there.splitlines() == here
    assert any("crashed" in line for line in here)


def test_a_violation_names_its_seed_and_what_to_type() -> None:
    mutant = next(mutant for mutant, caught in MUTANTS.items() if caught == "replicas are wanted in the end")
    with pytest.raises(ViolationError, match=r"seed 0: 3 replicas are wanted in the end instead of 2") as violation:
        Schedule(0, mutant).perform()
    assert "RACELAB_SEED=0 python -m pytest -s tests/brain/test_reconcile_simulation.py" in str(violation.value)
