"""The loop of observing, deciding and acting, over a platform in memory."""

from __future__ import annotations

import os
import signal
from random import Random
from typing import TYPE_CHECKING

import pytest

from brain.samples import experiment
from brain.simulated_platform import Faults, World
from racelab_operator.interruption import Interruption, interruptible
from racelab_operator.run import Performance, Progress, run_experiment

if TYPE_CHECKING:
    from racelab_operator.steps import Experiment

RACE = experiment(strategies=["atomic_only", "row_lock"], replicas=[1, 3])


def perform(world: World, race: Experiment = RACE, interrupt_at_step: int | None = None) -> Performance:
    moments: list[Progress] = []

    def watch(moment: Progress) -> None:
        moments.append(moment)
        world.tick(0.1)
        if interrupt_at_step is not None and moment.status.step == interrupt_at_step and moment.observed.run:
            os.kill(os.getpid(), signal.SIGTERM)

    with interruptible():
        performance = run_experiment(race, world, watch, clock=lambda: world.now, pause=world.tick)
    assert moments[-1].experiment is race
    return performance


def test_every_step_is_performed_once_and_reported() -> None:
    world = World(Random(3), original_replicas=2)
    performance = perform(world)
    assert [step.verdict for step in performance.report.steps] == ["Confirmed"] * 4
    assert {step.operations.ok for step in performance.report.steps if step.operations} == {300}
    assert not performance.interrupted
    assert set(world.sent.values()) == {1}
    assert world.replicas_wanted == 2


def test_an_interruption_ends_the_run_with_what_was_finished() -> None:
    performance = perform(World(Random(3)), interrupt_at_step=2)
    assert performance.interrupted
    reasons = [step.reason for step in performance.report.steps]
    assert reasons[2:] == ["interrupted", "interrupted"]
    assert "interrupted" not in reasons[:2]
    assert performance.report.verdict == "Unknown"


def test_a_platform_that_fails_ends_the_run_with_its_reason() -> None:
    world = World(Random(3), Faults(failure=1))
    performance = perform(world)
    assert {step.reason for step in performance.report.steps} == {"postgresql died: No space left on device"}
    assert not performance.interrupted


def test_the_first_signal_interrupts_and_the_second_has_its_default_effect() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        with pytest.raises(Interruption):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is before
