"""The flags of `racelab-load run` for one generator of a step: the same on every platform. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from racelab_operator.steps import Step

REQUEST_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class LoadAddresses:
    """Where a generator finds the edge and the auditor; `ca_file` is a path where the generator runs."""

    edge_url: str
    ca_file: str
    auditor_url: str


def request_timeout_seconds(step: Step) -> int:
    """Bound one request: with every other one in flight before it, the last one waits that many windows."""
    return REQUEST_SECONDS + math.ceil(step.load.concurrency * step.window_milliseconds / 1000)


def load_arguments(step: Step, key: str, generator: int | str, addresses: LoadAddresses) -> list[str]:
    """Write the flags; `generator` is an index, or what stands for it in a Pod's template."""
    load, window = step.load, step.window_milliseconds
    length = (
        ("--requests", load.requests)
        if load.duration_seconds is None
        else ("--duration-seconds", load.duration_seconds)
    )
    flags: list[tuple[str, object]] = [
        ("--url", f"{addresses.edge_url.rstrip('/')}/bank/{step.scenario}/{step.strategy}/"),
        ("--form", f"{load.form}&isolation={step.isolation}&window_milliseconds={window}"),
        length,
        ("--concurrency", load.concurrency),
        ("--arrival", load.arrival),
        ("--target", load.target),
        ("--other", load.other),
        ("--amount-cents", load.amount_cents),
        ("--seed", load.seed),
        ("--generator", generator),
        ("--generators", load.generators),
        ("--ca-file", addresses.ca_file),
        ("--timeout-seconds", request_timeout_seconds(step)),
        ("--auditor", addresses.auditor_url),
        ("--run", key),
    ]
    return [text for flag, value in flags for text in (flag, str(value))]
