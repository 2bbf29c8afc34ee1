"""Values that the brain's tests build on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from racelab_operator.catalog import Claim
from racelab_operator.observed import Audit
from racelab_operator.spec import RaceExperiment
from racelab_operator.steps import Experiment, Step, expand

SAFE = Claim(kind="safe")
ABORTS = Claim(kind="aborts")
RACY = Claim(kind="racy", anomalies=("lost_update",))


def race(**spec: Any) -> RaceExperiment:
    """Check an experiment; the fields of the spec by their names in the file."""
    return RaceExperiment.model_validate(document(**spec))


def document(**spec: Any) -> dict[str, Any]:
    """Give a whole file as a value."""
    base = {"scenario": "deposit", "strategies": ["atomic_only"]}
    return {
        "apiVersion": "racelab.dev/v1alpha1",
        "kind": "RaceExperiment",
        "metadata": {"name": "sample"},
        "spec": base | spec,
    }


def experiment(*, abort: bool = False, suspend: bool = False, **spec: Any) -> Experiment:
    """Expand an experiment."""
    return replace(expand(race(**spec), "uid12"), abort=abort, suspend=suspend)


def step(claim: Claim = RACY, replicas: int = 3) -> Step:
    """Give one step with a claim of one's choice."""
    return replace(experiment().steps[0], claim=claim, replicas=replicas)


def audit(**changes: Any) -> Audit:
    """Give a clean final audit of 300 deposits on three replicas."""
    clean: dict[str, Any] = {
        "run": "sample-uid12-0",
        "final": True,
        "outcome": "Consistent",
        "reason": None,
        "anomalies": {"lost_update": 0, "hidden_overdraft": 0},
        "accounts": 1,
        "entries": 300,
        "opening_cents": 100_000,
        "ledger_total_cents": 130_000,
        "balance_cents": 130_000,
        "drift_cents": 0,
        "absolute_drift_cents": 0,
        "lost": 0,
        "culprits": 0,
        "overdrafts": {"visible": 0, "hidden": 0},
        "identity_holds": True,
        "replicas_seen": ["bank-0", "bank-1", "bank-2"],
        "writers_seen": 3,
        "histories": {"expected": 1, "complete": 1, "lost": {}},
        "operations": {"ok": 300, "fail": 0, "info": 0},
        "refused": 0,
        "conflicts": 0,
        "start_skew_microseconds": 180,
        "seconds": 1.2,
        "requests_per_second": 250.0,
        "latency_milliseconds": {"p50": 4.1, "p99": 11.0},
        "certificate": {
            "serializable": True,
            "reason": "300 operations performed again one after the other give every recorded balance",
            "operations": 300,
            "dependencies": {"ww": 299, "wr": 0, "rw": 0},
            "order": "eJxjYBgFo2AUjIKhAQAEsAAB",
            "cycles": None,
            "operations_on_cycles": 0,
            "witnesses": [],
        },
    }
    return Audit.model_validate(clean | changes)


def anomalous(**changes: Any) -> Audit:
    """Give a final audit with 187 lost updates."""
    lost = {
        "outcome": "Anomalous",
        "anomalies": {"lost_update": 187, "hidden_overdraft": 0},
        "lost": 187,
        "culprits": 90,
        "drift_cents": -18_700,
        "absolute_drift_cents": 18_700,
        "balance_cents": 111_300,
        "certificate": {
            "serializable": False,
            "reason": "no serial order: 1 group of them depends on each other in circles",
            "operations": 300,
            "dependencies": {"ww": 486, "wr": 0, "rw": 187},
            "cycles": {"lost_update": 1},
            "operations_on_cycles": 290,
            "witnesses": [{"name": "lost_update", "operations": ["2", "1"], "sentence": "operation 2 read …"}],
        },
    }
    return audit(**(lost | changes))
