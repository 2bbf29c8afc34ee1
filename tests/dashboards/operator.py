"""The dashboard "Operator": experiments on their way, and how the operator is doing."""

from __future__ import annotations

from typing import Final

from dashboards.building import (
    ABOVE_ZERO,
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

HERE: Final = '{namespace=~"$namespace"}'
CHOSEN: Final = '{namespace=~"$namespace",experiment=~"$experiment"}'
STAGE: Final = "racelab_operator_experiment_stage_timestamp_seconds"
ZERO: Final = f"sum(racelab_operator_experiments{HERE}) * 0"
"""Nothing of something that has no series before the first time, while the operator answers."""
SILENT: Final = "the operator does not answer"
NONE_ON_ITS_WAY: Final = "no experiment is on its way"


def operator() -> str:
    """Return operator.json."""
    variables = (
        namespace_variable("racelab_operator_experiments"),
        label_variable("experiment", "Experiment", f"{STAGE}{HERE}", "experiment", "Experiments that have not ended"),
    )
    words = "RaceExperiments on a cluster: where each stands, and whether the operator keeps up"
    return dashboard("Operator", words, variables=variables, rows=(_experiments(), _reconciling()))


def _experiments() -> Row:
    by_phase = f"sum by (phase) (racelab_operator_experiments{HERE})"
    return Row(
        "Experiments",
        [
            bars(
                "By phase",
                "How many experiments are where: a stage of the way, waiting for the bank (Queued), held "
                "(Suspended), without a bank (TargetMissing), or finished.",
                Query(by_phase, "{{phase}}"),
                no_value=SILENT,
                width=6,
                height=9,
            ),
            graph(
                "By phase over time",
                "The same over time, finished ones left out.",
                Query(
                    'sum by (phase) (racelab_operator_experiments{namespace=~"$namespace",phase!="Finished"})',
                    "{{phase}}",
                ),
                no_value=SILENT,
                width=10,
                height=9,
            ),
            listing(
                "Age of the stage",
                "Since when each experiment is in the stage that it is in. All stages but the load have deadlines "
                "of minutes; an alert fires for one that is stuck.",
                Query(f"time() - {STAGE}{CHOSEN}"),
                columns={"experiment": "Experiment", "stage": "Stage", "Value": "For"},
                units={"Value": "s"},
                no_value=NONE_ON_ITS_WAY,
                width=8,
                height=9,
            ),
            figure(
                "Replicas not given back",
                "Ended experiments that have left the bank with another number of replicas than it had. Above "
                "zero for five minutes an alert fires.",
                Query(
                    f"sum(racelab_operator_replicas_not_restored{HERE}) or {ZERO}",
                    "not given back",
                ),
                limits=ABOVE_ZERO,
                no_value=SILENT,
                width=6,
                height=5,
            ),
            figure(
                "Deleted after their time",
                "Finished experiments whose `ttlSecondsAfterFinished` was over, in the chosen time.",
                Query(f"sum(increase(racelab_operator_experiments_expired_total{HERE}[$__range]))", "deleted"),
                decimals=0,
                no_value=SILENT,
                width=6,
                height=5,
            ),
            figure(
                "Oldest stage",
                "The longest that an experiment has been in its stage.",
                Query(f"max(time() - {STAGE}{CHOSEN})", "oldest"),
                unit="s",
                no_value=NONE_ON_ITS_WAY,
                width=6,
                height=5,
            ),
            figure(
                "Errors",
                "Looks at an experiment that ended in an error, in the chosen time. Each is tried again.",
                Query(
                    f"sum(increase(racelab_operator_reconcile_errors_total{HERE}[$__range])) or {ZERO}",
                    "errors",
                ),
                limits=ABOVE_ZERO,
                decimals=0,
                no_value=SILENT,
                width=6,
                height=5,
            ),
        ],
    )


def _reconciling() -> Row:
    buckets = f"sum by (le) (rate(racelab_operator_reconcile_seconds_bucket{HERE}[$__rate_interval]))"
    errors = f"sum by (reason) (rate(racelab_operator_reconcile_errors_total{HERE}[$__rate_interval]))"
    none = f'label_replace({ZERO}, "reason", "none", "", "")'
    return Row(
        "Reconciling",
        [
            graph(
                "Looks",
                "How often the operator looks at experiments: four times a second at each that is on its way.",
                Query(f"sum(rate(racelab_operator_reconcile_seconds_count{HERE}[$__rate_interval]))", "looks"),
                unit="ops",
                no_value=SILENT,
                width=8,
            ),
            graph(
                "Duration of a look",
                "Looking at an experiment and doing what was to be done: mostly the API server and the auditor.",
                *(
                    Query(f"histogram_quantile({share}, {buckets})", f"p{share * 100:.0f}")
                    for share in (0.5, 0.95, 0.99)
                ),
                unit="s",
                no_value=NONE_ON_ITS_WAY,
                width=8,
            ),
            graph(
                "Errors by reason",
                "Looks that failed, per second. More than five in ten minutes make an alert.",
                Query(f"{errors} or {none}", "{{reason}}"),
                unit="ops",
                no_value=SILENT,
                width=8,
            ),
            heat_map(
                "Spread of durations",
                "How many looks fell into each bucket.",
                f"sum by (le) (increase(racelab_operator_reconcile_seconds_bucket{HERE}[$__rate_interval]))",
                no_value=NONE_ON_ITS_WAY,
                width=24,
            ),
        ],
    )
