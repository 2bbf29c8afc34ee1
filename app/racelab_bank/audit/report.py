"""The conclusion: one run's figures, what was found, and whether it is consistent, anomalous, or unknown.

In this order: a broken identity → Unknown; an anomaly → Anomalous, also when histories are missing, since the ledger
alone proves it; missing histories, histories that do not agree with the ledger, or recorded balances that no order of
the operations gives → Unknown; the rest → Consistent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from racelab_bank.audit.columns import everything
from racelab_bank.audit.drift import drift
from racelab_bank.audit.graph.certificate import certify
from racelab_bank.audit.reconciliation import reconcile
from racelab_bank.audit.registry import detectors
from racelab_bank.audit.tables import Operations
from racelab_bank.audit.timeline import timeline
from racelab_bank.audit.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from racelab_bank.audit.graph.certificate import Certificate
    from racelab_bank.audit.history import History
    from racelab_bank.audit.live_figures import LiveFigures
    from racelab_bank.audit.registry import Anomaly, Detector
    from racelab_bank.audit.rows import Histories, Operation
    from racelab_bank.audit.timeline import Point


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
    certificate: Certificate | None
    timeline: Sequence[Point] | None = field(default=None, repr=False)

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
            "certificate": None if self.certificate is None else self.certificate.to_json(),
            "timeline": None if self.timeline is None else [point.to_json() for point in self.timeline],
        }


def audit(history: History, *, final: bool, using: Sequence[Detector] | None = None) -> AuditReport:
    """Audit one run. A `final` audit also judges torn writes and half postings: nothing may be on its way any more.

    `using` is for leaving detectors out; all of them are used otherwise. Linear in the number of rows.
    Raises `ValueError` for rows that are not of this run's accounts.
    """
    using = detectors() if using is None else using
    sums = drift(history)
    found = {one.kind: len(one.found(history)) if final or not one.final_only else 0 for one in using}
    certificate = certify(history) if final and sums.identity_holds else None
    outcome, reason = _conclusion(
        broken=sums.reason,
        anomalies=[count(found[one.kind], one.noun) for one in using if one.decisive and found[one.kind]],
        expected=history.histories.expected,
        missing=history.histories.missing(),
        disagreement=_disagreement(history, certificate),
    )
    entries, operations = history.tables.entries, history.tables.operations
    writers = entries.worker.codes * np.int64(len(entries.replica.vocabulary)) + entries.replica.codes
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
        replicas_seen=tuple(sorted(entries.replica.used() | operations.replica.used())),
        writers_seen=int((np.bincount(writers) > 0).sum()) if len(writers) else 0,
        histories=history.histories,
        certificate=certificate,
        timeline=timeline(history) if final else None,
        **_operations(operations),
    )


def _disagreement(history: History, certificate: Certificate | None) -> str | None:
    """Say what contradicts what: recorded balances each other, or the histories the ledger."""
    if certificate is not None and certificate.contradiction:
        return f"the record contradicts itself: {certificate.reason}"
    return reconcile(history).reason if history.histories.expected else None


def findings(history: History, *, final: bool, using: Sequence[Detector] | None = None) -> Iterator[Anomaly]:
    """Find the anomalies that `audit` counts, one by one: by kind, then account, then version."""
    for found in _found(history, final=final, using=using):
        yield from found


def page(history: History, *, final: bool, offset: int, limit: int) -> tuple[int, list[Anomaly]]:
    """Return how many anomalies there are, and some of them: only those are put into words."""
    listed: list[Anomaly] = []
    count_ = 0
    for found in _found(history, final=final):
        begin = max(0, offset - count_)
        listed += found[begin : begin + limit - len(listed)]
        count_ += len(found)
    return count_, listed


def _found(history: History, *, final: bool, using: Sequence[Detector] | None = None) -> Iterator[Sequence[Anomaly]]:
    for one in detectors() if using is None else using:
        if final or not one.final_only:
            yield one.found(history)


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
        certificate=None,
        **_operations(Operations.of(operations)),
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


def _operations(operations: Operations) -> dict[str, Any]:
    """Return those fields of a report that come from the generators' histories."""
    return {
        "operations": MappingProxyType(
            {kind: int(operations.type.where(kind).sum()) for kind in ("ok", "fail", "info")}
        ),
        "refused": int(operations.outcome.where("refused").sum()),
        "conflicts": int(operations.outcome.where("conflict").sum()),
        "timing": timing(operations),
    }


def timing(operations: Operations) -> Timing:
    """Measure the operations that got an answer."""
    answered = everything(operations.status)
    if not answered.any():
        return Timing()
    begins = operations.begin_microseconds.values[answered]
    ends = operations.end_microseconds.values[answered]
    microseconds = int(ends.max()) - int(begins.min())
    latencies = np.sort(ends - begins)
    return Timing(
        seconds=round(microseconds / 1_000_000, 3),
        requests_per_second=round(len(latencies) * 1_000_000 / microseconds, 1) if microseconds > 0 else None,
        p50_milliseconds=round(int(percentile(latencies, 50)) / 1000, 3),
        p99_milliseconds=round(int(percentile(latencies, 99)) / 1000, 3),
    )


def percentile(ascending: Sequence[int] | NDArray[Any], percent: int) -> int:
    """Return the nearest-rank percentile (1 to 100) of ascending values. Raises `IndexError` without values."""
    return int(ascending[-(-percent * len(ascending) // 100) - 1])
