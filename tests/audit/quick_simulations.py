"""Simulations from a seed, many times faster than hypothesis draws them: for checks that want thousands."""

from functools import cache
from random import Random

from audit.drawn_simulations import ALL_WAYS, CLEAN_WAYS
from audit.simulated_bank import Leg, Simulation, Way, Write
from racelab_bank.audit.history import History


def clean_simulation(random: Random) -> Simulation:
    """Play writers that cannot race, on accounts of every sort; the first account is a plain one."""
    while True:
        workers = random.randint(1, 6)
        # Whoever is alone cannot race, however it writes.
        ways: tuple[Way, ...] = (*CLEAN_WAYS, "naive", "checked") if workers == 1 else CLEAN_WAYS
        simulation = _play(random, random.randint(1, 5), ways, random.randint(1, 20), workers, apart=0)
        if simulation.entries and not simulation.surplus():
            return simulation


def racing_simulation(random: Random, operations: int) -> Simulation:
    """Play at most so many writers on few accounts: of a few ways each time, and many of them in several steps."""
    ways = tuple(random.sample(ALL_WAYS, random.randint(1, 3)))
    return _play(random, random.randint(1, 4), ways, random.randint(0, operations), random.randint(1, 4), apart=0.7)


def _play(
    random: Random, accounts: int, ways: tuple[Way, ...], operations: int, workers: int, *, apart: float
) -> Simulation:
    openings = [random.randint(0, 1_000) for _ in range(accounts)]
    others = range(2, len(openings) + 1)
    derived = {account for account in others if random.random() < 0.2}
    created = {account for account in others if random.random() < 0.2} - derived
    owners = {account: random.choice([7, 8]) for account in others if account in created or random.random() < 0.5}
    writes = [_write(random, accounts, ways, apart) for _ in range(operations)]
    picks = [random.randint(0, 5) for _ in range(4 * len(writes))]
    return Simulation(openings, owners=owners, derived=derived, created=created).play(writes, picks, workers)


def _write(random: Random, accounts: int, ways: tuple[Way, ...], apart: float) -> Write:
    account = random.randint(1, accounts)
    # Equal amounts are common: they hide what distinct ones would show.
    amount = random.choice([1, 1, -1]) * random.choice([100, random.randint(1, 500)])
    legs: tuple[Leg, ...] = (Leg(account, amount),)
    if accounts > 1 and random.random() < 0.4:
        legs = (*legs, Leg(account % accounts + 1, -amount))
    return Write(legs, random.choice(ways), apart=random.random() < apart)


@cache
def clean_histories() -> tuple[History, ...]:
    """Return a thousand of them, each time the same."""
    return tuple(clean_simulation(Random(seed)).history() for seed in range(1_000))
