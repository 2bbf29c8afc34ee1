"""Explains runs: who was lost, to whom, in which interleaving, and which strategies would have prevented it."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from ninja import Schema

from racelab_bank.audit.history import History
from racelab_bank.audit.interleaving import Remedies, Remedy, page
from racelab_bank.audit.interleaving.drawing import as_svg
from racelab_bank.audit.interleaving.text import as_text
from racelab_bank.auditor.wholes import whole
from racelab_bank.claims import Anomaly
from racelab_bank.models import Run
from racelab_bank.scenarios import Scenario, scenarios
from racelab_bank.strategies import Strategy, strategies


class ExplainedLane(Schema):
    """One operation, what became of it, and facts about it. Nulls: a write without an entry."""

    name: str
    operation: str | None
    entry: str | None
    mark: str
    account: int
    amount_cents: int | None
    strategy: str
    replica: str
    worker: str
    transaction: int


class ExplainedVersion(Schema):
    """A balance that an account had: the number of its version there, 0 for the opening, and whose lane put it."""

    account: int
    number: int
    balance_cents: int
    writer: str
    lane: int | None
    lost: bool


class ExplainedEvent(Schema):
    """What happened in a lane: `sent`, `read`, `window`, `write` or `answer`; by the `replica` or `caller` clock."""

    lane: int
    kind: str
    what: str
    at_microseconds: int | None
    clock: str
    account: int | None
    version: int | None
    balance_cents: int | None
    replaced_cents: int | None
    duration_microseconds: int | None
    lost: bool


class ExplainedReason(Schema):
    """What would have prevented it, and at which event."""

    words: str
    event: int | None


class Explained(Schema):
    """One anomaly between two operations: its lanes, its events in order, and what would have prevented it."""

    kind: str
    operations: list[str]
    sentence: str
    reason: str
    reasons: list[ExplainedReason]
    begin_microseconds: int | None
    lanes: list[ExplainedLane]
    versions: list[ExplainedVersion]
    events: list[ExplainedEvent]
    notes: list[str]
    text: str
    svg: str | None


class Interleavings(Schema):
    """A page of a run's interleavings; `told` says why there is none."""

    run: str
    count: int
    told: str | None
    interleavings: list[Explained]


class UnknownOperation(Exception):
    """There is no operation of that key in the run: 404."""


def explain(run: Run, *, operation: str | None, offset: int, limit: int, drawing: bool) -> dict[str, Any]:
    """Return a page of the run's interleavings, how many there are, and what is to be said where there is none.

    Raises `UnknownOperation`.
    """
    with whole(run) as found:
        return _explained(run, found.history, operation=operation, offset=offset, limit=limit, drawing=drawing)


def _explained(
    run: Run, history: History, *, operation: str | None, offset: int, limit: int, drawing: bool
) -> dict[str, Any]:
    if operation is not None and not (_applied(history, operation) or _sent(history, operation)):
        raise UnknownOperation(f"run {run.key} has no operation {operation}")
    known = remedies(run.scenario, run.isolation)
    count, found = page(history, about=operation, offset=offset, limit=limit, remedies=known)
    return {
        "run": run.key,
        "count": count,
        "told": None if count else _nothing(history, operation),
        "interleavings": [
            one.to_json() | {"text": as_text(one), "svg": as_svg(one) if drawing else None} for one in found
        ],
    }


def _applied(history: History, operation: str) -> bool:
    return history.tables.entries.operation.holds(operation)


def _sent(history: History, operation: str) -> bool:
    return history.tables.operations.key.holds(operation)


def _nothing(history: History, operation: str | None) -> str:
    if operation is None:
        return "no operation was lost, and no two overlooked each other"
    if _applied(history, operation):
        return f"operation {operation} is in the ledger: nobody overwrote it, and it overwrote nobody"
    return f"operation {operation} was not applied: the ledger does not hold it"


@cache
def remedies(scenario: str, isolation: str) -> Remedies:
    """Return what the lab's strategies would have done, in runs of a scenario at an isolation level.

    The playground has operations of all scenarios: of each anomaly, the simplest scenario that can show it is taken.
    """
    return Remedies(isolation, MappingProxyType({str(anomaly): _all(scenario, anomaly) for anomaly in Anomaly}))


def _all(scenario: str, anomaly: Anomaly) -> tuple[Remedy, ...]:
    serving = scenarios().get(scenario) or _simplest(scenarios(), anomaly)
    return tuple(
        _remedy(strategy, serving, isolation)
        for strategy in strategies().values()
        if strategy.serves(serving)
        for isolation in strategy.claims
    )


def _simplest(all_of_them: Mapping[str, Scenario], anomaly: Anomaly) -> Scenario:
    """Return the scenario with the fewest legs that can show an anomaly."""
    able = (one for one in all_of_them.values() if anomaly in one.anomalies)
    return min(able, key=lambda one: (one.guarded, one.legs, one.name))


def _remedy(strategy: Strategy, scenario: Scenario, isolation: str) -> Remedy:
    claim = strategy.claim(scenario, isolation)
    aborted = claim.kind == "aborts" and not strategy.prevents.refuses
    shown = frozenset(str(anomaly) for anomaly in claim.anomalies)
    return Remedy(strategy.name, isolation, None if aborted else strategy.prevents, shown)
