"""The second half of the dashboard "Drift": what was written, who was lost, and whether it adds up."""

from __future__ import annotations

from typing import Final

from dashboards.building import ABOVE_ZERO, LAST, NOT_ZERO, Query, Row, bars, figure, graph, listing, live_page_link
from dashboards.drift_runs import GONE, RUN_COLUMNS, RUNS, STEP, per_step

FIGURES: Final = (
    ("racelab_entries_total", "", "Entries"),
    ("racelab_lost_updates", "", "Lost"),
    ("racelab_balance_drift_cents", " / 100", "Drift"),
    ("racelab_absolute_drift_cents", " / 100", "Σ|drift|"),
)


def ledger() -> Row:
    return Row(
        "Ledger: what was written",
        [
            graph(
                "Balance against ledger total",
                "What the accounts hold, and what the ledger says that they should hold (opening balances and all "
                "entries). Where the curves part, updates are lost.",
                Query(f"{per_step('racelab_balance_cents')} / 100", f"{STEP} balance"),
                Query(f"{per_step('racelab_ledger_total_cents')} / 100", f"{STEP} ledger total"),
                decimals=2,
                no_value=GONE,
                calcs=(LAST,),
                width=12,
            ),
            graph(
                "Drift",
                "Balance − ledger total, and Σ|drift| over the accounts: losses of opposite sign cancel in the "
                "first, never in the second.",
                Query(f"{per_step('racelab_balance_drift_cents')} / 100", f"{STEP} drift"),
                Query(f"{per_step('racelab_absolute_drift_cents')} / 100", f"{STEP} Σ|drift|"),
                decimals=2,
                no_value=GONE,
                calcs=("min", "max", LAST),
                width=12,
                links=[live_page_link("Live page: who was lost, and to whom")],
            ),
            graph(
                "Entries",
                "Entries that the ledger gains per second: operations that were applied.",
                Query(f"sum by (experiment, step) (rate(racelab_entries_total{RUNS}[$__rate_interval]))", STEP),
                unit="ops",
                no_value=GONE,
                width=24,
                height=6,
            ),
        ],
    )


def audit() -> Row:
    return Row(
        "Audit: who was lost",
        [
            graph(
                "Lost updates",
                "Entries that their account's balance does not descend from: applied, acknowledged, overwritten. "
                "It may fall: a late writer can put a lost branch back.",
                Query(per_step("racelab_lost_updates"), STEP),
                no_value=GONE,
                width=8,
            ),
            graph(
                "Stale installs",
                "Balances per second that were computed from a read which another write had made old: the writes "
                "that lose updates.",
                Query(f"sum by (experiment, step) (rate(racelab_stale_installs_total{RUNS}[$__rate_interval]))", STEP),
                unit="ops",
                no_value=GONE,
                width=8,
            ),
            graph(
                "Audit lag",
                "How far the auditor's figures are behind the database. From 30 s on an alert fires.",
                Query(f"max by (experiment, step) (racelab_audit_lag_seconds{RUNS})", STEP),
                unit="s",
                no_value=GONE,
                limits=((None, "transparent"), (30, "red")),
                width=8,
            ),
            bars(
                "Anomalies by kind",
                "What the detectors found. Lost updates, overdrafts and duplicates are counted live; what is a "
                "matter of reads, and torn writes, half postings, double spends and outcome mismatches, once the "
                "run is closed.",
                Query(f"sum by (kind) (racelab_anomalies_total{RUNS}) > 0", "{{kind}}"),
                no_value="no anomaly",
                limits=((None, "red"),),
                width=20,
                height=6,
            ),
            figure(
                "Live pages",
                "Browsers that watch the auditor's page at this moment. Their number is bounded, so that they cannot "
                "slow the audit.",
                Query('sum(racelab_event_streams{namespace=~"$namespace"})', "open"),
                no_value="the auditor does not answer",
                width=4,
                height=6,
            ),
        ],
    )


def verdict() -> Row:
    total = "sum(racelab_{}{}) / 100".format
    anomalies = f"sum(racelab_anomalies_total{RUNS})"
    torn = RUNS.replace("}", ',kind="torn_write"}')
    return Row(
        "Verdict: does it add up",
        [
            figure(
                "Drift",
                "Balance − ledger total of all chosen runs. Anything but 0.00 is money made or lost.",
                Query(total("balance_drift_cents", RUNS), "drift"),
                decimals=2,
                limits=NOT_ZERO,
                no_value=GONE,
                width=5,
                height=5,
            ),
            figure(
                "Σ|drift|",
                "The same without signs: it is 0.00 only when every account is right.",
                Query(total("absolute_drift_cents", RUNS), "Σ|drift|"),
                decimals=2,
                limits=NOT_ZERO,
                no_value=GONE,
                width=5,
                height=5,
            ),
            figure(
                "Lost updates",
                "Deposits, withdrawals and transfers that were acknowledged and are not in the balance.",
                Query(f"sum(racelab_lost_updates{RUNS})", "lost"),
                limits=ABOVE_ZERO,
                no_value=GONE,
                width=5,
                height=5,
            ),
            figure(
                "Anomalies",
                "All kinds together.",
                Query(f"{anomalies} or sum(racelab_balance_cents{RUNS}) * 0", "anomalies"),
                limits=ABOVE_ZERO,
                no_value=GONE,
                width=5,
                height=5,
            ),
            figure(
                "Torn writes",
                "An install without its entry, or the other way round. Above zero the ledger itself is not to be "
                "trusted, and an alert fires.",
                Query(f"sum(racelab_anomalies_total{torn}) or sum(racelab_balance_cents{RUNS}) * 0", "torn"),
                limits=ABOVE_ZERO,
                no_value=GONE,
                width=4,
                height=5,
            ),
            listing(
                "By step",
                "The figures of each run. Whether they are what its strategy claims is told by `racelab run`, "
                "`kubectl get races` and the live page.",
                *(Query(f"{metric}{RUNS}{factor}") for metric, factor, _ in FIGURES),
                columns={
                    **RUN_COLUMNS,
                    **{f"Value #{chr(ord('A') + number)}": title for number, (_, _, title) in enumerate(FIGURES)},
                },
                no_value=GONE,
                width=14,
                height=9,
            ),
            listing(
                "Alerts",
                "What fires, and what is about to. Drift is an alert too, with the severity that the chart's "
                "values give it.",
                Query('ALERTS{alertname=~"Racelab.*",namespace=~"$namespace"}'),
                columns={
                    "alertname": "Alert",
                    "alertstate": "State",
                    "severity": "Severity",
                    "experiment": "Experiment",
                    "step": "Step",
                },
                no_value="nothing fires",
                width=10,
                height=9,
            ),
        ],
    )
