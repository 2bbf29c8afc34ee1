"""Expanding an experiment into its steps, in the order replicas × strategy × isolation × window."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from racelab_operator.catalog import Claim, catalog

if TYPE_CHECKING:
    from racelab_operator.spec import Load, RaceExperiment

_LONGEST_NAME: Final = 40
_UID_CHARACTERS: Final = 5


@dataclass(frozen=True, slots=True)
class StepLoad:
    """The load of a step, with the scenario's own values filled in; exactly one of the first two is None."""

    requests: int | None
    duration_seconds: int | None
    concurrency: int
    accounts: int
    amount_cents: int
    opening_cents: int
    minimum_cents: int
    arrival: str
    generators: int
    seed: int
    form: str
    target: str


@dataclass(frozen=True, slots=True)
class Step:
    """One strategy, at one isolation level, on one count of replicas, with one window; `index` counts from 0."""

    index: int
    name: str
    scenario: str
    strategy: str
    isolation: str
    replicas: int
    window_milliseconds: int
    claim: Claim
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
    load = _load(spec.load, spec.scenario)
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
            load=load,
        )
        for index, (replicas, strategy, isolation, window) in enumerate(combinations)
    )
    return Experiment(race.metadata.name, uid, spec.expect, steps, spec.suspend, spec.abort)


def _claim(scenario: str, strategy: str, isolation: str) -> Claim:
    claim = catalog().claim(scenario, strategy, isolation)
    assert claim is not None, "the spec refuses what nobody claims"  # noqa: S101  an invariant, not a check of input
    return claim


def _load(load: Load, scenario_name: str) -> StepLoad:
    """Fill in what the scenario gives: with a share of the load, refusals are reached half way."""
    scenario = catalog().scenarios[scenario_name]
    minimum = scenario.minimum_cents if load.minimum_cents is None else load.minimum_cents
    opening = load.opening_cents
    if opening is None and scenario.opening_percent_of_load is not None and load.requests is not None:
        whole_load_cents = load.amount_cents * load.requests // load.accounts
        opening = minimum + whole_load_cents * scenario.opening_percent_of_load // 100
    if opening is None:
        opening = max(scenario.opening_cents, minimum)
    return StepLoad(
        requests=load.requests,
        duration_seconds=load.duration_seconds,
        concurrency=load.concurrency,
        accounts=load.accounts,
        amount_cents=load.amount_cents,
        opening_cents=opening,
        minimum_cents=minimum,
        arrival=load.arrival,
        generators=load.generators,
        seed=load.seed,
        form=scenario.form,
        target=scenario.target,
    )


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
