"""A real lab under a real Prometheus, on which a real experiment was performed; and an operator's metrics, served."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml
from prometheus_client import start_http_server

from brain.samples import race
from dashboards.alerts import release_place, rules
from monitoring.prometheus_server import Server, eventually, running
from racelab_operator.auditor import Auditor
from racelab_operator.platforms.kubernetes import metrics
from racelab_operator.platforms.local.lab import LocalLab
from racelab_operator.platforms.local.platform import LocalPlatform
from racelab_operator.platforms.local.ports import LOOPBACK, free_port
from racelab_operator.platforms.local.prometheus import Prometheus, program
from racelab_operator.run import run_experiment
from racelab_operator.steps import expand, run_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_operator.observed import Audit

# Seconds of load, so that scrapes fall into it; atomic_only loses updates, row_lock does not.
STRATEGIES = ("atomic_only", "row_lock")
LOAD = {"requests": 300, "concurrency": 6, "accounts": 2, "generators": 2}
CLOSED = 'racelab_run_closed_timestamp_seconds{experiment="sample"}'


@dataclass(frozen=True)
class Scraped:
    """A lab that is up, after an experiment; `audits` by strategy, times in Unix seconds."""

    lab: LocalLab
    prometheus: Server
    audits: dict[str, Audit]
    begin: float
    end: float


@pytest.fixture(scope="session")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """Perform an experiment on a lab that a Prometheus scrapes, and wait until it knows how it ended."""
    experiment = expand(race(strategies=STRATEGIES, replicas=[2], windowMilliseconds=[20], load=LOAD), "uid12")
    lab = LocalLab(tmp_path_factory.mktemp("scraped"), prometheus=Prometheus(program()), purpose="a test")
    with lab:
        addresses = lab.start(2)
        assert addresses.prometheus_url is not None
        prometheus = Server(addresses.prometheus_url)
        eventually("everything to be scraped", lambda: len(prometheus.up()) == 3)
        begin = time.time()
        with Auditor(addresses.auditor_url, addresses.token) as auditor:
            report = run_experiment(experiment, LocalPlatform(lab, auditor), lambda _progress: None).report
            assert report.verdict == "Confirmed", report
            eventually("the end of both steps", lambda: len(prometheus.instant(CLOSED)) == len(STRATEGIES))
            audits = {}
            for key in (run_key(experiment, step) for step in experiment.steps):
                run, audit = auditor.run(key), auditor.audit(key)
                assert run is not None
                assert audit is not None
                audits[run.strategy or ""] = audit
        assert set(audits) == set(STRATEGIES)
        yield Scraped(lab, prometheus, audits, begin, time.time())


@dataclass(frozen=True)
class OperatorSeen:
    """A Prometheus that scrapes an operator's metrics, with the alerts of a release."""

    prometheus: Server
    begin: float


@pytest.fixture(scope="session")
def operator_seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorSeen]:
    """Serve the metrics of an operator that has everything to complain about: no operator runs without a cluster."""
    hours_ago = time.time() - 10_000
    metrics.count_experiments(("load", "audit", "Queued", "TargetMissing", "Finished"))
    metrics.STANDINGS.show(
        [
            metrics.Standing("loading", "load", hours_ago, not_restored=False),
            metrics.Standing("auditing", "audit", hours_ago, not_restored=False),
            metrics.Standing("waiting", "Queued", hours_ago, not_restored=False),
            metrics.Standing("ended", "Finished", None, not_restored=True),
        ]
    )
    metrics.RECONCILE_ERRORS.labels("ClusterError").inc(0)
    port = free_port()
    server, _thread = start_http_server(port, LOOPBACK)
    target = {"targets": [f"{LOOPBACK}:{port}"], "labels": {"namespace": "default", "service": "lab-operator"}}
    scraping = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "operator", "static_configs": [target]}],
    }
    begin = time.time()
    try:
        folder = tmp_path_factory.mktemp("operator")
        with running(folder, scraping, yaml.safe_dump(rules(release_place("default", "lab")))) as prometheus:
            eventually("a scrape", prometheus.up)
            for seconds in (0.01, 0.2, 3):
                metrics.RECONCILE_SECONDS.observe(seconds)
            metrics.RECONCILE_ERRORS.labels("ClusterError").inc(10)
            count = "racelab_operator_reconcile_seconds_count"
            eventually("a rate of looks", lambda: prometheus.number(f"sum(rate({count}[4s])) > 0"))
            yield OperatorSeen(prometheus, begin)
    finally:
        server.shutdown()
        server.server_close()
        metrics.STANDINGS.show([])
        metrics.count_experiments([])
