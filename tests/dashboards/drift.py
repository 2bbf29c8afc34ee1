"""The dashboard "Drift": one experiment on its way, from the spec to the verdict."""

from __future__ import annotations

from typing import Final

from dashboards.building import (
    LAST,
    Annotation,
    Query,
    Row,
    bars,
    dashboard,
    figure,
    graph,
    heat_map,
    label_variable,
    listing,
    namespace_variable,
)
from dashboards.drift_outcome import audit, ledger, verdict
from dashboards.drift_runs import GONE, OPENED, RUN_COLUMNS, RUNS, STEP

BANK: Final = '{namespace=~"$namespace"}'


def drift() -> str:
    """Return drift.json."""
    variables = (
        namespace_variable(OPENED),
        label_variable(
            "experiment",
            "Experiment",
            f'{OPENED}{{namespace=~"$namespace"}}',
            "experiment",
            "The run `playground` is for trying things out by hand",
        ),
        label_variable(
            "step",
            "Step",
            f'{OPENED}{{namespace=~"$namespace",experiment=~"$experiment"}}',
            "step",
            "One combination of replicas, strategy, isolation level and window",
        ),
    )
    boundaries = (
        Annotation("Step begins", OPENED + RUNS, "blue", "{{experiment}} {{step}} ({{strategy}}, {{isolation}})"),
        Annotation(
            "Step ends",
            "racelab_run_closed_timestamp_seconds" + RUNS,
            "purple",
            "{{experiment}} {{step}} ({{strategy}})",
        ),
    )
    rows = (_spec(), _replicas(), _load(), ledger(), audit(), verdict())
    words = "What becomes of money when requests race: spec, replicas, load, ledger, audit, verdict"
    return dashboard("Drift", words, variables=variables, rows=rows, annotations=boundaries)


def _spec() -> Row:
    closed = f"racelab_run_closed_timestamp_seconds{RUNS}"
    return Row(
        "Spec: what is performed",
        [
            figure(
                "Runs under way",
                "Runs that the auditor has opened and not closed. The standing run `playground` is always open.",
                Query(f"count({OPENED}{RUNS} unless {closed}) or vector(0)", "open"),
                width=4,
            ),
            listing(
                "Runs",
                "The steps that the auditor knows: those under way, and those closed in the last 15 minutes.",
                Query(f"{OPENED}{RUNS} * 1000"),
                columns={"Value": "Opened", **RUN_COLUMNS},
                units={"Value": "dateTimeAsLocal"},
                no_value=GONE,
                width=20,
            ),
        ],
    )


def _replicas() -> Row:
    requests = f"racelab_bank_requests_total{BANK}"
    return Row(
        "Replicas: who serves",
        [
            figure(
                "Replicas",
                "Replicas of the bank that Prometheus reads metrics of. A step waits until it has as many as it "
                "asks for.",
                Query(f"count(racelab_bank_worker_processes{BANK})", "replicas"),
                no_value="no replica answers",
                width=4,
            ),
            graph(
                "Requests by replica",
                "What each replica serves, of all experiments and of requests by hand. The edge hands each "
                "request to the next replica, so the curves should lie on each other; one replica alone with one "
                "worker cannot race.",
                Query(f"sum by (instance) (rate({requests}[$__rate_interval]))", "{{instance}}"),
                unit="reqps",
                width=10,
            ),
            graph(
                "Requests between read and write",
                "How many operations have read a balance and not written yet, over all replicas. Two or more at "
                "once is what a race needs; the peak tells what the curve's resolution misses.",
                Query(f"sum by (strategy) (racelab_window_requests{BANK})", "{{strategy}}"),
                Query(f"sum by (strategy) (racelab_window_requests_peak{BANK})", "{{strategy}}, peak"),
                limits=((None, "transparent"), (2, "orange")),
                width=10,
            ),
        ],
    )


def _load() -> Row:
    buckets = f"sum by (le, strategy) (racelab_load_duration_seconds_bucket{RUNS})"
    arriving = f"sum by (le) (increase(racelab_bank_request_duration_seconds_bucket{BANK}[$__rate_interval]))"
    return Row(
        "Load: what was sent",
        [
            bars(
                "Operations by type",
                "What the generators were told, known once their histories have arrived: ok applied, fail "
                "refused, info nobody knows (no answer, or a 5xx).",
                Query(f"sum by (type) (racelab_load_operations_total{RUNS})", "{{type}}"),
                no_value="no history has arrived yet",
                width=6,
            ),
            graph(
                "Latency by strategy, as the generators measured it",
                "Median and 99th percentile over the whole step, from the generators' histories: what a strategy "
                "costs its callers. Not a rate: a history arrives as a whole.",
                Query(f"histogram_quantile(0.5, {buckets})", "{{strategy}} p50"),
                Query(f"histogram_quantile(0.99, {buckets})", "{{strategy}} p99"),
                unit="s",
                no_value="no history has arrived yet",
                calcs=(LAST,),
                width=9,
            ),
            bars(
                "Start skew",
                "How far each generator's first request was from the start that all had agreed on. Above the window, "
                "requests that should race do not.",
                Query(f"max by (experiment, step) (racelab_load_start_skew_seconds{RUNS})", STEP),
                unit="s",
                no_value="no history has arrived yet",
                width=9,
            ),
            heat_map(
                "Latency as it arrives",
                "Durations at the bank, of all requests of this time whatever their experiment: bands that rise "
                "are operations that wait for each other.",
                arriving,
                width=24,
            ),
        ],
    )
