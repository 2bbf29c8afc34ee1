"""The flags of a load: what one generator of a step is told, on every platform."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain.samples import experiment
from racelab_loadgen.cli import run as load_command
from racelab_operator.catalog import catalog
from racelab_operator.load_arguments import REQUEST_SECONDS, LoadAddresses, load_arguments, request_timeout_seconds

if TYPE_CHECKING:
    from racelab_operator.steps import Step

ADDRESSES = LoadAddresses("https://lab-edge", __file__, "http://lab-auditor:9000")
KEY = "sample-uid12-0"
STEP = experiment(
    load={"requests": 300, "concurrency": 20, "generators": 2, "arrival": "burst", "seed": 7, "amountCents": 250},
    windowMilliseconds=[5],
    isolation=["serializable"],
).steps[0]


def told(step: Step, generator: int | str = 0, addresses: LoadAddresses = ADDRESSES) -> dict[str, str]:
    arguments = load_arguments(step, KEY, generator, addresses)
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


@st.composite
def steps(draw: st.DrawFn) -> Step:
    scenario = draw(st.sampled_from(sorted(catalog().scenarios)))
    base = experiment(scenario=scenario, strategies=[catalog().strategies_for(scenario)[0]]).steps[0]
    timed = draw(st.booleans())
    generators = draw(st.integers(1, 16))
    load = replace(
        base.load,
        requests=None if timed else draw(st.integers(generators, 10**6)),
        duration_seconds=draw(st.integers(1, 3600)) if timed else None,
        generators=generators,
        concurrency=draw(st.integers(generators, 1000)),
        arrival=draw(st.sampled_from(["closed", "burst", "single-packet"])),
        amount_cents=draw(st.integers(1, 10**12)),
        seed=draw(st.integers(0, 2**31)),
    )
    return replace(base, load=load, window_milliseconds=draw(st.integers(0, 10_000)))


def test_a_generator_is_told_its_share_of_the_step_and_where_everything_is() -> None:
    assert told(STEP, 1) == {
        "--url": "https://lab-edge/bank/deposit/atomic_only/",
        "--form": f"{STEP.load.form}&isolation=serializable&window_milliseconds=5",
        "--requests": "300",
        "--concurrency": "20",
        "--arrival": "burst",
        "--target": "random",
        "--other": "none",
        "--amount-cents": "250",
        "--seed": "7",
        "--generator": "1",
        "--generators": "2",
        "--ca-file": __file__,
        "--timeout-seconds": "31",
        "--auditor": "http://lab-auditor:9000",
        "--run": KEY,
    }


def test_a_timed_load_is_told_its_seconds_and_no_requests() -> None:
    timed = experiment(load={"durationSeconds": 9}).steps[0]
    assert told(timed)["--duration-seconds"] == "9"
    assert "--requests" not in told(timed)


def test_a_pods_template_carries_what_stands_for_the_index_and_nothing_else_differs() -> None:
    template, first = told(STEP, "$(JOB_COMPLETION_INDEX)"), told(STEP, 0)
    assert {flag for flag in first if template[flag] != first[flag]} == {"--generator"}
    assert template["--generator"] == "$(JOB_COMPLETION_INDEX)"


@pytest.mark.parametrize("edge", ["https://lab-edge", "https://lab-edge/", "https://lab-edge:8443//"])
def test_the_edges_address_may_end_in_a_slash(edge: str) -> None:
    url = told(STEP, addresses=replace(ADDRESSES, edge_url=edge))["--url"]
    assert url == f"{edge.rstrip('/')}/bank/deposit/atomic_only/"


@given(steps(), st.data())
def test_racelab_load_understands_every_step_as_it_is_meant(step: Step, data: st.DataObject) -> None:
    generator = data.draw(st.integers(0, step.load.generators - 1))
    load = step.load
    understood = load_command.make_context("run", load_arguments(step, KEY, generator, ADDRESSES)).params
    assert understood["url"] == f"https://lab-edge/bank/{step.scenario}/{step.strategy}/"
    assert understood["form"].endswith(f"&isolation={step.isolation}&window_milliseconds={step.window_milliseconds}")
    assert (understood["requests"], understood["duration_seconds"]) == (load.requests, load.duration_seconds)
    for field in ("concurrency", "arrival", "target", "other", "amount_cents", "seed", "generators"):
        assert understood[field] == getattr(load, field), field
    assert (understood["generator"], understood["run_key"]) == (generator, KEY)


@given(steps())
def test_a_request_may_last_as_long_as_all_others_before_it_pause(step: Step) -> None:
    seconds = request_timeout_seconds(step)
    pausing = step.load.concurrency * step.window_milliseconds / 1000
    assert REQUEST_SECONDS + pausing <= seconds < REQUEST_SECONDS + pausing + 1
    assert seconds == math.floor(seconds)
