"""What tells the runs of an experiment apart in queries and tables."""

from __future__ import annotations

from typing import Final

OPENED: Final = "racelab_run_opened_timestamp_seconds"
RUNS: Final = '{namespace=~"$namespace",experiment=~"$experiment",step=~"$step"}'
STEP: Final = "{{experiment}} {{step}}"
RUN_COLUMNS: Final = {
    "experiment": "Experiment",
    "step": "Step",
    "scenario": "Scenario",
    "strategy": "Strategy",
    "isolation": "Isolation",
    "replicas": "Replicas",
}
GONE: Final = "no run: the auditor shows a run for 15 minutes after it was closed"


def per_step(metric: str) -> str:
    """Sum a metric over whatever else tells runs apart."""
    return f"sum by (experiment, step) ({metric}{RUNS})"
