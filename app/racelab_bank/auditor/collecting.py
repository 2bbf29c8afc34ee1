"""The auditor's samples for Prometheus, made on each scrape from the live audit."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from racelab_bank.auditor import following, loads
from racelab_bank.models import Run
from racelab_bank.page.streams import streams

LABELS: Final = ("experiment", "step", "scenario", "strategy", "isolation", "replicas")

#: A run leaves so long after it was closed.
ENDED_MINUTES: Final = 15

#: A run that was never closed, since nobody was left to do it, leaves so long after it was opened.
ABANDONED_HOURS: Final = 24

#: So many runs at most, the newest, beside those that never end.
RUNS: Final = 50


def shown_runs(now: datetime) -> list[Run]:
    """Return the runs that have samples, the newest first: of those with the same labels, only the newest."""
    fresh = Q(closed_at=None, opened_at__gt=now - timedelta(hours=ABANDONED_HOURS)) | Q(
        closed_at__gt=now - timedelta(minutes=ENDED_MINUTES)
    )
    standing = Run.objects.filter(generators=0)
    found: dict[tuple[str, ...], Run] = {}
    for run in (*standing.order_by("-pk")[:RUNS], *Run.objects.filter(fresh, generators__gt=0).order_by("-pk")[:RUNS]):
        found.setdefault(labels(run), run)
    return sorted(found.values(), key=lambda run: -run.pk)


def labels(run: Run) -> tuple[str, ...]:
    """Return the values of `LABELS`; a run that nobody labelled goes by its key."""
    told = run.labels
    experiment = str(told.get("experiment") or run.key)
    step, replicas = str(told.get("step", "")), str(told.get("replicas", ""))
    return (experiment, step, run.scenario, run.strategy, run.isolation, replicas)


class Audits(Collector):
    """Every run's sums, anomalies and load. Cents are integers; no account is a label."""

    def collect(self) -> Iterator[Metric]:
        """Turn the live audit of every run that is shown. The cost does not grow with the ledgers.

        Raises `django.db.Error` when the database does not answer.
        """
        samples = _Samples()
        for run in shown_runs(datetime.now(UTC)):
            samples.add(run)
        samples.count_streams()
        yield from samples.families()

    def describe(self) -> Iterable[Metric]:
        """Tell names without a database."""
        return _Samples().families()


class _Samples:
    """The families, being filled run by run."""

    def __init__(self) -> None:
        # Consumed by the dashboard's balance panel, beside the next one.
        self._balance = GaugeMetricFamily("racelab_balance_cents", "What the accounts of a run say.", labels=LABELS)
        # Consumed by the dashboard's balance panel.
        self._ledger = GaugeMetricFamily(
            "racelab_ledger_total_cents", "What the ledger says: opening balances and all entries.", labels=LABELS
        )
        # Consumed by the dashboard's drift panel and `racelab drift`'s readers.
        self._drift = GaugeMetricFamily("racelab_balance_drift_cents", "Balance less ledger total.", labels=LABELS)
        # Consumed by the drift alert: drifts of opposite signs do not hide each other here.
        self._absolute = GaugeMetricFamily(
            "racelab_absolute_drift_cents", "The drift of each account without its sign, added up.", labels=LABELS
        )
        # Consumed by the dashboard's throughput panel.
        self._entries = CounterMetricFamily(
            "racelab_entries", "Entries of the ledger: what was truly applied.", labels=LABELS
        )
        # Consumed by the dashboard's loss panel.
        self._lost = GaugeMetricFamily(
            "racelab_lost_updates",
            "Entries that the balance does not descend from; a stale writer can bring them back.",
            labels=LABELS,
        )
        # Consumed by the dashboard's panel of stale installs per second: the race as it happens.
        self._stale = CounterMetricFamily(
            "racelab_stale_installs", "Writes over a balance that their writer had not read.", labels=LABELS
        )
        # Consumed by the anomalies panel and the torn-write alert.
        self._anomalies = CounterMetricFamily(
            "racelab_anomalies",
            "Anomalies by kind: the most that there were at once; some kinds only by the final audit.",
            labels=(*LABELS, "kind"),
        )
        # Consumed by the audit-lag alert.
        self._lag = GaugeMetricFamily(
            "racelab_audit_lag_seconds", "How old a row can be that is written and not counted yet.", labels=LABELS
        )
        # Consumed by the dashboards' annotations at step boundaries.
        self._opened = GaugeMetricFamily(
            "racelab_run_opened_timestamp_seconds", "When the run was opened, Unix time.", labels=LABELS
        )
        # Consumed by the dashboards' annotations, and to tell runs that have ended.
        self._closed = GaugeMetricFamily(
            "racelab_run_closed_timestamp_seconds", "When the run was closed, Unix time.", labels=LABELS
        )
        # Consumed by the operator of an auditor that many look at: the number is bounded.
        self._streams = GaugeMetricFamily("racelab_event_streams", "Live pages that are open.")
        # Consumed by the load panel.
        self._operations = CounterMetricFamily(
            "racelab_load_operations",
            "Requests of finished load generators, by what they know of them: ok, fail, info.",
            labels=(*LABELS, "generator", "type"),
        )
        # Consumed by the load's latency panel.
        self._durations = HistogramMetricFamily(
            "racelab_load_duration_seconds", "How long answered requests took, as generators saw it.", labels=LABELS
        )
        # Consumed by the start-skew panel.
        self._skew = GaugeMetricFamily(
            "racelab_load_start_skew_seconds",
            "How far a generator's first request was from the common start.",
            labels=(*LABELS, "generator"),
        )

    def add(self, run: Run) -> None:
        """Add a run's samples."""
        of = labels(run)
        self._add_sums(of, _figures(run))
        self._opened.add_metric(of, run.opened_at.timestamp())
        if run.closed_at is not None:
            self._closed.add_metric(of, run.closed_at.timestamp())
        load = loads.load_figures(run) if run.generators else None
        if load is not None:
            self._add_load(of, load)

    def count_streams(self) -> None:
        """Add how many live pages are open."""
        self._streams.add_metric((), streams())

    def _add_sums(self, of: tuple[str, ...], figures: dict[str, Any]) -> None:
        for family, name in (
            (self._balance, "balance_cents"),
            (self._ledger, "ledger_total_cents"),
            (self._drift, "drift_cents"),
            (self._absolute, "absolute_drift_cents"),
            (self._entries, "entries"),
            (self._lost, "lost"),
            (self._stale, "culprits"),
            (self._lag, "lag_seconds"),
        ):
            family.add_metric(of, figures[name])
        for kind, number in sorted(figures["anomalies"].items()):
            self._anomalies.add_metric((*of, kind), number)

    def _add_load(self, of: tuple[str, ...], load: loads.LoadFigures) -> None:
        for (generator, kind), number in load.operations.items():
            self._operations.add_metric((*of, str(generator), kind), number)
        bounds = [str(bound) for bound in loads.BUCKETS_SECONDS]
        buckets = [*zip(bounds, load.cumulative, strict=True), ("+Inf", load.answered)]
        self._durations.add_metric(of, buckets, load.total_microseconds / 1_000_000)
        for generator, skew in load.skews_microseconds.items():
            self._skew.add_metric((*of, str(generator)), skew / 1_000_000)

    def families(self) -> list[Metric]:
        """Return all of them."""
        return list(vars(self).values())


def _figures(run: Run) -> dict[str, Any]:
    """Return a run's figures: of its final audit where there is one."""
    if run.report is not None:
        anomalies = dict(run.report["anomalies"])
        for kind, number in following.highest(run).items():
            anomalies[kind] = max(number, anomalies.get(kind, 0))
        return {**run.report, "anomalies": anomalies, "lag_seconds": 0.0}
    now = following.live(run)
    return {**now.report.to_json(run.key), "anomalies": now.highest, "lag_seconds": now.lag_seconds}


#: All of it, for the exposition.
AUDITS: Final = CollectorRegistry()
AUDITS.register(Audits())
