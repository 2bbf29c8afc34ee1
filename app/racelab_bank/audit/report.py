"""The conclusion: one run's figures, what was found, and whether it is consistent, anomalous, or unknown.

In this order: a broken identity → Unknown; an anomaly → Anomalous, also when histories are missing, since the ledger
alone proves it; missing histories, or histories that do not agree with the ledger → Unknown; the rest → Consistent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from racelab_bank.audit.drift import drift
from racelab_bank.audit.reconciliation import reconcile
from racelab_bank.audit.registry import detectors
from racelab_bank.audit.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from racelab_bank.audit.history import Histories, History, Operation
    from racelab_bank.audit.live import LiveFigures
    from racelab_bank.audit.registry import Anomaly, Detector


class Outcome(StrEnum):
    """What was observed."""

    CONSISTENT = "Consistent"
    ANOMALOUS = "Anomalous"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the operations took: nearest-rank percentiles over those that were answered; None where there are none.

    `seconds` is from the first begin to the last end.
    """

    seconds: float | None = None
    requests_per_second: float | None = None
    p50_milliseconds: float | None = None
    p99_milliseconds: float | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit says of one run. `anomalies` counts by kind; `findings` lists them."""

    final: bool
    outcome: Outcome
    reason: str
    anomalies: Mapping[str, int]
    accounts: int
    entries: int
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    absolute_drift_cents: int
    lost: int
    culprits: int
    visible_overdrafts: int
    hidden_overdrafts: int
    identity_holds: bool
    replicas_seen: tuple[str, ...]
    writers_seen: int
    histories: Histories
    operations: Mapping[str, int]
    refused: int
    conflicts: int
    timing: Timing

    def to_json(self, run: str, *, start_skew_microseconds: int | None = None) -> dict[str, Any]:
        """Return the answer of `GET /api/runs/{run}/audit`; the start skew is the largest of all generators."""
        timing = self.timing
        measured = timing.p50_milliseconds is not None
        return {
            "run": run,
            "final": self.final,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "anomalies": dict(self.anomalies),
            "accounts": self.accounts,
            "entries": self.entries,
            "opening_cents": self.opening_cents,
            "ledger_total_cents": self.ledger_total_cents,
            "balance_cents": self.balance_cents,
            "drift_cents": self.drift_cents,
            "absolute_drift_cents": self.absolute_drift_cents,
            "lost": self.lost,
            "culprits": self.culprits,
            "overdrafts": {"visible": self.visible_overdrafts, "hidden": self.hidden_overdrafts},
            "identity_holds": self.identity_holds,
            "replicas_seen": list(self.replicas_seen),
            "writers_seen": self.writers_seen,
            "histories": {
                "expected": self.histories.expected,
                "complete": len(self.histories.complete),
                "lost": {str(generator): reason for generator, reason in sorted(self.histories.lost.items())},
            },
            "operations": dict(self.operations),
            "refused": self.refused,
            "conflicts": self.conflicts,
            "start_skew_microseconds": start_skew_microseconds,
            "seconds": timing.seconds,
            "requests_per_second": timing.requests_per_second,
            "latency_milliseconds": (
                {"p50": timing.p50_milliseconds, "p99": timing.p99_milliseconds} if measured else None
            ),
        }


def audit(history: History, *, final: bool, using: Sequence[Detector] | None = None) -> AuditReport:
    """Audit one run. A `final` audit also judges torn writes and half postings: nothing may be on its way any more.

    `using` is for leaving detectors out; all of them are used otherwise. Linear in the number of rows.
    Raises `ValueError` for rows that are not of this run's accounts.
    """
    using = detectors() if using is None else using
    sums = drift(history)
    found = {one.kind: sum(1 for _ in one.find(history)) if final or not one.final_only else 0 for one in using}
    outcome, reason = _conclusion(
        broken=sums.reason,
        anomalies=[count(found[one.kind], one.noun) for one in using if one.decisive and found[one.kind]],
        expected=history.histories.expected,
        missing=history.histories.missing(),
        disagreement=reconcile(history).reason if history.histories.expected else None,
    )
    replicas = {entry.replica for entry in history.entries}
    replicas.update(operation.replica for operation in history.operations if operation.replica is not None)
    return AuditReport(
        final=final,
        outcome=outcome,
        reason=reason,
        anomalies=MappingProxyType({one.kind: found[one.kind] for one in using if one.decisive}),
        accounts=len(history.accounts),
        entries=len(history.entries),
        opening_cents=sums.opening_cents,
        ledger_total_cents=sums.ledger_total_cents,
        balance_cents=sums.balance_cents,
        drift_cents=sums.drift_cents,
        absolute_drift_cents=sums.absolute_drift_cents,
        lost=found.get("lost_update", 0),
        culprits=found.get("stale_install", 0),
        visible_overdrafts=found.get("visible_overdraft", 0),
        hidden_overdrafts=found.get("hidden_overdraft", 0),
        identity_holds=sums.identity_holds,
        replicas_seen=tuple(sorted(replicas)),
        writers_seen=len({(entry.replica, entry.worker) for entry in history.entries}),
        histories=history.histories,
        **_operations(history.operations),
    )


def findings(history: History, *, final: bool, using: Sequence[Detector] | None = None) -> Iterator[Anomaly]:
    """Find the anomalies that `audit` counts, one by one: by kind, then account, then version."""
    for one in detectors() if using is None else using:
        if final or not one.final_only:
            yield from one.find(history)


def live_report(figures: LiveFigures, histories: Histories, operations: Sequence[Operation] = ()) -> AuditReport:
    """Conclude from a live audit's figures, at a cost that does not grow with the ledger.

    A run that is still going and shows nothing yet is Unknown. Torn writes, half postings, double spends, write skews
    and outcome mismatches are left to the final audit.
    """
    counts = dict.fromkeys((one.kind for one in detectors() if one.decisive), 0) | {
        "lost_update": figures.lost,
        "visible_overdraft": figures.visible_overdrafts,
        "hidden_overdraft": figures.hidden_overdrafts,
        "duplicate": figures.duplicates,
    }
    outcome, reason = _conclusion(
        broken=figures.violation,
        anomalies=[count(counts[one.kind], one.noun) for one in detectors() if one.decisive and counts[one.kind]],
        expected=histories.expected,
        missing="the run is not closed yet" if histories.expected else None,
        disagreement=None,
    )
    return AuditReport(
        final=False,
        outcome=outcome,
        reason=reason,
        anomalies=MappingProxyType(counts),
        accounts=figures.accounts,
        entries=figures.entries,
        opening_cents=figures.opening_cents,
        ledger_total_cents=figures.ledger_total_cents,
        balance_cents=figures.balance_cents,
        drift_cents=figures.drift_cents,
        absolute_drift_cents=figures.absolute_drift_cents,
        lost=figures.lost,
        culprits=figures.culprits,
        visible_overdrafts=figures.visible_overdrafts,
        hidden_overdrafts=figures.hidden_overdrafts,
        identity_holds=figures.violation is None,
        replicas_seen=figures.replicas_seen,
        writers_seen=figures.writers_seen,
        histories=histories,
        **_operations(operations),
    )


def _conclusion(
    *, broken: str | None, anomalies: Sequence[str], expected: int, missing: str | None, disagreement: str | None
) -> tuple[Outcome, str]:
    """Decide. `missing` says what is not there yet and is told beside anomalies, too."""
    if broken is not None:
        return Outcome.UNKNOWN, f"the drift identity does not hold: {broken}"
    if anomalies:
        found = ", ".join(anomalies)
        return Outcome.ANOMALOUS, found if missing is None else f"{found}; {missing}"
    if missing is not None:
        return Outcome.UNKNOWN, missing
    if disagreement is not None:
        return Outcome.UNKNOWN, disagreement
    if expected == 0:
        return Outcome.CONSISTENT, "no history: the ledger alone was judged"
    return Outcome.CONSISTENT, "every balance is what its entries make it, and the histories agree with the ledger"


def _operations(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return those fields of a report that come from the generators' histories."""
    types = {"ok": 0, "fail": 0, "info": 0}
    refused = conflicts = 0
    for operation in operations:
        types[operation.type] += 1
        refused += operation.outcome == "refused"
        conflicts += operation.outcome == "conflict"
    return {
        "operations": MappingProxyType(types),
        "refused": refused,
        "conflicts": conflicts,
        "timing": timing(operations),
    }


def timing(operations: Iterable[Operation]) -> Timing:
    """Measure the operations that got an answer."""
    answered = [operation for operation in operations if operation.status is not None]
    if not answered:
        return Timing()
    begin = min(operation.begin_microseconds for operation in answered)
    microseconds = max(operation.end_microseconds for operation in answered) - begin
    latencies = sorted(operation.end_microseconds - operation.begin_microseconds for operation in answered)
    return Timing(
        seconds=round(microseconds / 1_000_000, 3),
        requests_per_second=round(len(answered) * 1_000_000 / microseconds, 1) if microseconds > 0 else None,
        p50_milliseconds=round(percentile(latencies, 50) / 1000, 3),
        p99_milliseconds=round(percentile(latencies, 99) / 1000, 3),
    )


def percentile(ascending: Sequence[int], percent: int) -> int:
    """Return the nearest-rank percentile (1 to 100) of ascending values. Raises `IndexError` without values."""
    return ascending[-(-percent * len(ascending) // 100) - 1]
