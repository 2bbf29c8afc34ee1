"""Reports that the tests of the page build on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brain.samples import anomalous, audit, experiment, race
from racelab_operator.observed import Explained, Interleavings
from racelab_operator.report.build import build_report, repeatable
from racelab_operator.report.explaining import Explaining
from racelab_operator.status import Status, StepResult
from racelab_operator.verdict import judge

if TYPE_CHECKING:
    from racelab_operator.report.model import ExperimentReport

SPEC: dict[str, Any] = {
    "strategies": ["atomic_only", "row_lock"],
    "replicas": [1, 3],
    "windowMilliseconds": [0, 5],
    "load": {"requests": 300, "seed": 11},
}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><rect width="40" height="20"/></svg>'


def timeline(*drifts: int) -> list[dict[str, Any]]:
    """Give moments at which the balance is so far from the ledger."""
    return [
        {
            "at_milliseconds": 10.5 * number,
            "ledger_total_cents": 100_000 + 100 * number,
            "balance_cents": 100_000 + 100 * number + drift,
            "absolute_drift_cents": abs(drift),
            "stale_installs": number,
        }
        for number, drift in enumerate(drifts)
    ]


def explained(operation: str, **changes: Any) -> Explained:
    """Give one interleaving as an auditor tells it."""
    told: dict[str, Any] = {
        "kind": "lost_update", "operations": [operation, "23"], "sentence": f"operation {operation} was lost",
        "reason": "row_lock would have …", "lanes": [], "events": [], "notes": [],
        "text": f"operation {operation} was lost\n  reads 1.00\n", "svg": SVG,
    }  # fmt: skip
    return Explained.model_validate(told | changes)


class Explainer:
    """An auditor that tells the same of every run, or raises; it remembers what it was asked."""

    def __init__(self, answer: Interleavings | BaseException | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, int, bool]] = []

    def interleavings(self, key: str, operation: str | None, limit: int, *, drawing: bool) -> Interleavings | None:
        """Answer as the auditor's client does."""
        assert operation is None
        self.asked.append((key, limit, drawing))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def told(*interleavings: Explained, count: int | None = None) -> Interleavings:
    """Give an answer that has so many of them."""
    there = len(interleavings) if count is None else count
    return Interleavings(run="r", count=there, interleavings=interleavings)


def finished(**spec: Any) -> ExperimentReport:
    """Report an experiment in which atomic_only raced wherever there was more than one replica."""
    given = race(**(SPEC | spec))
    subject = experiment(**(SPEC | spec))
    results = []
    for step in subject.steps:
        raced = step.strategy == "atomic_only" and step.replicas > 1
        drifts = (0, -100, -18_700) if raced else (0, 0, 0)
        seen = (anomalous if raced else audit)(
            run=f"sample-uid12-{step.index}",
            timeline=timeline(*drifts),
            writers_seen=step.replicas,
            replicas_seen=[f"bank-{number}" for number in range(step.replicas)],
        )
        verdict = judge(step, seen)
        results.append(
            StepResult(step=step.index, verdict=verdict.word, outcome=seen.outcome, reason=verdict.reason, audit=seen)
        )
    status = Status(results=tuple(results), started_at=1_800_000_000, completed_at=1_800_000_075)
    return repeatable(build_report(subject, status), given, ["--workers", "2"], {"postgresql": "18.1"})


def whole() -> ExperimentReport:
    """Report the same with its interleavings."""
    answer = told(explained("17"), explained("18"), explained("19"), count=187)
    return Explaining(Explainer(answer)).add(finished())
