"""How an experiment becomes steps, and how their runs are named."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain.samples import experiment, race
from racelab_operator.catalog import catalog
from racelab_operator.steps import expand, load_name, run_key

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


def test_steps_come_in_the_order_replicas_strategy_isolation_window() -> None:
    lists: dict[str, list[Any]] = {
        "replicas": [3, 1],
        "strategies": ["row_lock", "atomic_only"],
        "isolation": ["serializable", "read-committed"],
        "windowMilliseconds": [5, 0],
    }
    steps = expand(race(**lists), "uid12").steps
    found = [(step.replicas, step.strategy, step.isolation, step.window_milliseconds) for step in steps]
    assert found == list(itertools.product(*lists.values()))
    assert [step.index for step in steps] == list(range(16))
    assert steps[3].name == "3-replicas-row_lock-read-committed-0ms"
    assert steps[8].name == "1-replica-row_lock-serializable-5ms"


def test_every_step_carries_its_claim() -> None:
    steps = experiment(isolation=["read-committed", "serializable"]).steps
    assert [step.claim.kind for step in steps] == ["racy", "aborts"]


@given(names, st.uuids())
def test_a_run_is_named_after_the_experiment_its_uid_and_the_step(name: str, uid: object) -> None:
    named = replace(experiment(replicas=[1, 3]), name=name, uid=str(uid))
    keys = [run_key(named, step) for step in named.steps]
    assert len(set(keys)) == len(keys)
    for index, key in enumerate(keys):
        assert re.fullmatch(r"[a-z0-9][-a-z0-9]{0,51}", key)
        assert key.endswith(f"-{str(uid)[:5]}-{index}")
    assert load_name(named, named.steps[0]) == f"{keys[0]}-load"
    assert len(load_name(named, named.steps[1])) <= 63


def test_a_withdrawal_opens_with_half_of_what_the_load_asks_for() -> None:
    load = {"requests": 300, "accounts": 2, "amountCents": 100}
    assert experiment(scenario="withdraw", load=load).steps[0].load.opening_cents == 7_500
    assert experiment(scenario="withdraw", load=load | {"openingCents": 7}).steps[0].load.opening_cents == 7
    timed = {"durationSeconds": 5}
    assert experiment(scenario="withdraw", load=timed).steps[0].load.opening_cents == 100_000
    floor = load | {"minimumCents": -500}
    assert experiment(scenario="withdraw", load=floor).steps[0].load.opening_cents == 7_000


def test_an_account_never_opens_below_its_floor() -> None:
    assert experiment(load={"requests": 1, "minimumCents": 500_000}).steps[0].load.opening_cents == 500_000


@pytest.mark.parametrize("scenario", sorted(catalog().scenarios))
def test_what_the_file_leaves_out_is_the_scenarios_own(scenario: str) -> None:
    own = catalog().scenarios[scenario]
    step = experiment(scenario=scenario, strategies=[catalog().strategies_for(scenario)[0]]).steps[0]
    load = step.load
    assert (step.noun, step.legs) == (own.noun, own.legs)
    assert (load.target, load.other, load.form) == (own.target, own.other, own.form)
    assert load.accounts == (15 if own.target == "batch" else own.accounts)
    assert (load.minimum_cents, load.price_cents) == (own.minimum_cents or 0, own.price_cents)
    if own.opening_percent_of_load is None:
        assert load.opening_cents == (own.opening_cents or 0)


def test_where_a_batch_shares_a_target_each_batch_has_one_of_its_own() -> None:
    def accounts(**load: int) -> int:
        return experiment(scenario="open", strategies=["get_or_create"], load=load).steps[0].load.accounts

    assert accounts(requests=41, concurrency=20) == 3
    assert accounts(requests=1_000_000, concurrency=1) == 10_000
    assert accounts(durationSeconds=5) == 1
    assert accounts(requests=300, accounts=2) == 2


def test_a_share_of_the_load_is_shared_by_the_accounts_that_the_scenario_has_at_least() -> None:
    percent = catalog().scenarios["transfer"].opening_percent_of_load
    assert percent is not None
    load = experiment(scenario="transfer", load={"requests": 200, "amountCents": 100}).steps[0].load
    assert load.opening_cents == 200 * 100 // 2 * percent // 100


def test_an_item_costs_at_least_what_one_code_takes_off_it() -> None:
    def price_cents(**load: int) -> int | None:
        return experiment(scenario="redeem", load={"requests": 1, **load}).steps[0].load.price_cents

    own = catalog().scenarios["redeem"].price_cents
    assert own is not None
    assert price_cents() == own
    assert price_cents(amountCents=own + 1) == own + 1
    assert price_cents(amountCents=5, priceCents=7) == 7
