"""Expanding an experiment into its steps, in the order replicas × strategy × isolation × window."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from racelab_operator.catalog import Claim, catalog
from racelab_operator.spec import MAXIMUM_ACCOUNTS

if TYPE_CHECKING:
    from racelab_operator.catalog import Scenario
    from racelab_operator.spec import Load, RaceExperiment

_LONGEST_NAME: Final = 40
_UID_CHARACTERS: Final = 5


@dataclass(frozen=True, slots=True)
class StepLoad:
    """The load of a step, with the scenario's own values filled in; exactly one of the first two is None.

    `price_cents` is None where the scenario has no items.
    """

    requests: int | None
    duration_seconds: int | None
    concurrency: int
    accounts: int
    amount_cents: int
    opening_cents: int
    minimum_cents: int
    price_cents: int | None
    arrival: str
    generators: int
    seed: int
    form: str
    target: str
    other: str


@dataclass(frozen=True, slots=True)
class Step:
    """One strategy, at one isolation level, on one count of replicas, with one window; `index` counts from 0.

    `noun`: what its requests are called, in the plural. `legs`: how many accounts each of them writes.
    """

    index: int
    name: str
    scenario: str
    strategy: str
    isolation: str
    replicas: int
    window_milliseconds: int
    claim: Claim
    noun: str
    legs: int
    load: StepLoad


@dataclass(frozen=True, slots=True)
class Experiment:
    """A checked and expanded experiment; `uid` tells two performances of one file apart."""

    name: str
    uid: str
    expect: Literal["Claim", "Consistent", "Anomalous"]
    steps: tuple[Step, ...]
    suspend: bool = False
    abort: bool = False


def expand(race: RaceExperiment, uid: str) -> Experiment:
    """Expand a file into an experiment."""
    spec = race.spec
    combinations = itertools.product(spec.replicas, spec.strategies, spec.isolation, spec.window_milliseconds)
    scenario = catalog().scenarios[spec.scenario]
    load = _load(spec.load, scenario)
    steps = tuple(
        Step(
            index=index,
            name=f"{replicas}-replica{'s' * (replicas > 1)}-{strategy}-{isolation}-{window}ms",
            scenario=spec.scenario,
            strategy=strategy,
            isolation=isolation,
            replicas=replicas,
            window_milliseconds=window,
            claim=_claim(spec.scenario, strategy, isolation),
            noun=scenario.noun,
            legs=scenario.legs,
            load=load,
        )
        for index, (replicas, strategy, isolation, window) in enumerate(combinations)
    )
    return Experiment(race.metadata.name, uid, spec.expect, steps, spec.suspend, spec.abort)


def _claim(scenario: str, strategy: str, isolation: str) -> Claim:
    claim = catalog().claim(scenario, strategy, isolation)
    assert claim is not None, "the spec refuses what nobody claims"  # noqa: S101  an invariant, not a check of input
    return claim


def _load(load: Load, scenario: Scenario) -> StepLoad:
    """Fill in what the scenario gives."""
    accounts = _accounts(load, scenario) if load.accounts is None else load.accounts
    minimum = (scenario.minimum_cents or 0) if load.minimum_cents is None else load.minimum_cents
    return StepLoad(
        requests=load.requests,
        duration_seconds=load.duration_seconds,
        concurrency=load.concurrency,
        accounts=accounts,
        amount_cents=load.amount_cents,
        opening_cents=_opening_cents(load, scenario, accounts, minimum),
        minimum_cents=minimum,
        price_cents=_price_cents(load, scenario),
        arrival=load.arrival,
        generators=load.generators,
        seed=load.seed,
        form=scenario.form,
        target=scenario.target,
        other=scenario.other,
    )


def _accounts(load: Load, scenario: Scenario) -> int:
    """Give the fewest accounts that work, or one for each batch where a batch shares one: what is used up stays so."""
    if scenario.target != "batch" or load.requests is None:
        return scenario.accounts
    return min(max(scenario.accounts, math.ceil(load.requests / load.concurrency)), MAXIMUM_ACCOUNTS)


def _opening_cents(load: Load, scenario: Scenario, accounts: int, minimum_cents: int) -> int:
    """Give the balance that each account opens with: as a share of the load, refusals are reached on the way."""
    if load.opening_cents is not None:
        return load.opening_cents
    if scenario.opening_percent_of_load is not None and load.requests is not None:
        load_cents = load.amount_cents * load.requests // accounts
        return minimum_cents + load_cents * scenario.opening_percent_of_load // 100
    return max(scenario.opening_cents or 0, minimum_cents)


def _price_cents(load: Load, scenario: Scenario) -> int | None:
    """Give the price of each item: no lower than what one code takes off it."""
    if scenario.price_cents is None or load.price_cents is not None:
        return load.price_cents
    return max(scenario.price_cents, load.amount_cents)


def run_labels(experiment: Experiment, step: Step) -> dict[str, str]:
    """Return what a run is told apart by in figures and lists, beside what it is opened with."""
    return {
        "experiment": experiment.name,
        "step": step.name,
        "replicas": str(step.replicas),
        "window_milliseconds": str(step.window_milliseconds),
    }


def run_key(experiment: Experiment, step: Step) -> str:
    """Name the run of a step: the experiment cut to 40 characters, 5 of its uid, the step's index.

    The same step of the same performance always has the same key, so acting twice is harmless.
    """
    name = experiment.name[:_LONGEST_NAME].rstrip("-")
    uid = experiment.uid.replace("-", "")[:_UID_CHARACTERS] or hashlib.sha256(name.encode()).hexdigest()[:5]
    return f"{name}-{uid}-{step.index}"


def load_name(experiment: Experiment, step: Step) -> str:
    """Name the load of a step; a platform that starts one process per generator appends the generator's index."""
    return f"{run_key(experiment, step)}-load"
