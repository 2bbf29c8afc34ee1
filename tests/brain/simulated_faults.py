"""What can go wrong with a simulated platform, and how likely it is."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Self

from brain.simulated_runs import Generator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from brain.simulated_platform import World

LONGEST_OUTAGE_SECONDS = 160
LONGEST_REFUSAL_SECONDS = 25  # with what else goes wrong, shorter than the time in which replicas are given back
PAUSE_SECONDS = 60
YEARS_SECONDS = 100_000_000
RARE = (0.0, 0.0, 0.0, 0.02, 0.1)
RARER = (0.0,) * 7 + (0.01, 0.04)


@dataclass(frozen=True)
class Faults:
    """How likely each fault is, per tick of the world; nothing by default."""

    generator_dies: float = 0
    generator_vanishes: float = 0
    generator_hangs: float = 0
    generator_doubles: float = 0
    replica_dies: float = 0
    auditor_outage: float = 0
    edits_refused: float = 0
    target_deleted: float = 0
    autoscaler_appears: float = 0
    database_emptied: float = 0
    clock_jumps: float = 0
    scaled_by_hand: float = 0
    failure: float = 0

    strikes: ClassVar[Mapping[str, Callable[[World], bool]]]

    @functools.cached_property
    def _likely(self) -> list[tuple[str, float, Callable[[World], bool]]]:
        chances = ((name, getattr(self, name)) for name in self.strikes)
        return [(name, chance, self.strikes[name]) for name, chance in chances if chance]

    @classmethod
    def drawn(cls, rng: Random) -> Self:
        """Draw how likely each fault is; most do not happen in most schedules."""
        often = {"generator_dies", "generator_vanishes", "generator_hangs", "replica_dies", "auditor_outage"}
        chances = {fault.name: rng.choice(RARE if fault.name in often else RARER) for fault in fields(cls)}
        return cls(**chances | {"failure": rng.choice([0.0] * 19 + [0.01])})

    def strike(self, world: World) -> None:
        """Let happen what is to happen now; what met nothing to break does not count."""
        for name, chance, strike in self._likely:
            if world.rng.random() < chance:
                world.faults_seen[name] += strike(world)


def _replica_dies(world: World) -> bool:
    died = world.ready > 0
    world.ready -= died
    return died


def _auditor_outage(world: World) -> bool:
    world.outage_until = world.now + world.rng.choice([2, 20, 100])
    return True


def _edits_refused(world: World) -> bool:
    if world.now <= world.edits_refused_until + PAUSE_SECONDS:
        return False
    world.edits_refused_until = world.now + world.rng.choice([5, LONGEST_REFUSAL_SECONDS])
    world.refusals_are_told = world.rng.random() < 0.5
    return True


def _target_deleted(world: World) -> bool:
    world.target_gone_until = world.now + world.rng.choice([3, 30, LONGEST_OUTAGE_SECONDS])
    world.replicas_wanted, world.ready = None, 0
    return True


def _autoscaler_appears(world: World) -> bool:
    world.autoscaler_until = world.now + world.rng.choice([10, 100])
    return True


def _database_emptied(world: World) -> bool:
    held_runs = bool(world.runs)
    world.runs.clear()
    return held_runs


def _clock_jumps(world: World) -> bool:
    world.clock_offset += world.rng.choice([-YEARS_SECONDS, -600, -90, -3, 3, 90, 600])
    return True


def _scaled_by_hand(world: World) -> bool:
    """Scale to another count: for good where no experiment holds the target, else until it is given back."""
    if world.target_gone_until is not None or not world.may_be_scaled_by_hand:
        return False
    world.replicas_wanted = world.rng.randrange(1, 6)
    if not world.held:
        world.owed = world.replicas_wanted
    return True


def _failure(world: World) -> bool:
    world.failure = "postgresql died: No space left on device"
    return True


def _one_running(world: World) -> tuple[tuple[str, int], Generator] | None:
    running = [(place, load) for place, loads in world.generators.items() for load in loads if load.phase == "running"]
    return world.rng.choice(running) if running else None


def _generator_dies(world: World) -> bool:
    if one := _one_running(world):
        one[1].fail(world.rng.choice(["OOMKilled", "Evicted"]))
    return one is not None


def _generator_vanishes(world: World) -> bool:
    if one := _one_running(world):
        del world.generators[one[0]]
    return one is not None


def _generator_hangs(world: World) -> bool:
    if one := _one_running(world):
        one[1].hangs = True
    return one is not None


def _generator_doubles(world: World) -> bool:
    """Put a second Pod of the same index in its place; the first one may live on, cut off with its node."""
    if one := _one_running(world):
        if world.rng.random() < 0.5:
            one[1].fail("NodeLost")
        world.generators[one[0]].append(Generator())
    return one is not None


Faults.strikes = {
    "generator_dies": _generator_dies,
    "generator_vanishes": _generator_vanishes,
    "generator_hangs": _generator_hangs,
    "generator_doubles": _generator_doubles,
    "replica_dies": _replica_dies,
    "auditor_outage": _auditor_outage,
    "edits_refused": _edits_refused,
    "target_deleted": _target_deleted,
    "autoscaler_appears": _autoscaler_appears,
    "database_emptied": _database_emptied,
    "clock_jumps": _clock_jumps,
    "scaled_by_hand": _scaled_by_hand,
    "failure": _failure,
}
