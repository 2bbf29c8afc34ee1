"""How an experiment becomes steps, and how their runs are named."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from brain.samples import experiment, race
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
