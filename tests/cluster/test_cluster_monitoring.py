"""The bundled Prometheus on a cluster: it finds everything, draws every panel, and has the drift that the audit has."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.cluster import try_kubectl
from cluster.lab import CHART, RELEASE, Lab, fresh_lab, spec
from dashboards.alerts import release_place, rules
from monitoring.prometheus_server import Server, eventually
from monitoring.reading import NAMES, PanelQuery, filled, label_queries, queries
from racelab_operator.platforms.kubernetes.forwarding import Forwarder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_operator.observed import Audit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

# Grafana's image may be out of reach; what the API server says of its Pod is asked below.
BUNDLED = (
    "monitoring.bundled.enabled=true",
    "monitoring.bundled.grafana.enabled=false",
    "monitoring.bundled.prometheus.scrapeInterval=1s",
    "monitoring.bundled.prometheus.resources.requests.cpu=10m",
)
NAME = "watched"
ASKED = [query for name in NAMES for query in queries(name)]


@dataclass(frozen=True)
class Watched:
    """A lab whose Prometheus saw an experiment; `audit` of its first step, times in Unix seconds."""

    lab: Lab
    prometheus: Server
    audit: Audit
    begin: float


@pytest.fixture(scope="module")
def watched(crd: None, image: str) -> Iterator[Watched]:
    """Perform an experiment of a racy and a safe step, and wait until Prometheus knows how both ended."""
    with fresh_lab(*BUNDLED) as lab:
        pod = lab.ready("prometheus")
        with Forwarder(lab.access.connect, lab.namespace, lambda: (pod, 9090)) as forwarder:
            prometheus = Server(forwarder.url)
            eventually("everything to be scraped", lambda: len(prometheus.up()) == 3, 60)
            begin = time.time()
            lab.make(NAME, spec(strategies=["atomic_only", "row_lock"], load={"generators": 2}))
            lab.confirms(NAME, 240)
            closed = f'racelab_run_closed_timestamp_seconds{{experiment="{NAME}"}}'
            eventually("the end of both steps", lambda: len(prometheus.instant(closed)) == 2)
            yield Watched(lab, prometheus, lab.audit(lab.run_key(NAME)), begin)


def test_what_is_scraped_is_up_with_the_labels_that_alerts_ask_for(watched: Watched) -> None:
    found = {one["metric"]["service"]: one["metric"]["namespace"] for one in watched.prometheus.instant("up == 1")}
    assert found == {f"{RELEASE}-{who}": watched.lab.namespace for who in ("bank", "auditor", "operator")}


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ("racelab_balance_drift_cents", "drift_cents"),
        ("racelab_absolute_drift_cents", "absolute_drift_cents"),
        ("racelab_lost_updates", "lost"),
        ("racelab_entries_total", "entries"),
    ],
)
def test_prometheus_has_the_figures_of_the_audit(metric: str, field: str, watched: Watched) -> None:
    asked = f'{metric}{{experiment="{NAME}",strategy="atomic_only"}}'
    assert watched.prometheus.number(asked) == getattr(watched.audit, field)
    assert watched.audit.drift_cents < 0


@pytest.mark.parametrize("query", ASKED, ids=str)
def test_every_panel_had_data_while_the_experiment_ran(query: PanelQuery, watched: Watched) -> None:
    eventually(query.asked, lambda: watched.prometheus.over(query.asked, watched.begin, time.time()), 15)


@pytest.mark.parametrize("name", NAMES)
def test_variables_offer_what_there_is(name: str, watched: Watched) -> None:
    asked = label_queries(name)
    found = {label: watched.prometheus.label_values(label, filled(series)) for series, label in asked}
    assert found["namespace"] == [watched.lab.namespace]
    assert all(found.values()), found


def test_the_alerts_are_those_that_are_tested_and_only_drift_fires(watched: Watched) -> None:
    place = release_place(watched.lab.namespace, RELEASE)
    wanted = [rule["alert"] for group in rules(place)["groups"] for rule in group["rules"]]
    known = watched.prometheus.rules()
    assert [rule["name"] for rule in known] == wanted
    assert {rule["health"] for rule in known} == {"ok"}
    firing = [one["labels"] for one in watched.prometheus.alerts() if one["state"] == "firing"]
    assert {(one["alertname"], one["strategy"]) for one in firing} == {("RacelabDrift", "atomic_only")}


def test_a_replica_is_scraped_once_it_is_ready_and_let_go_when_it_is_not_there(watched: Watched) -> None:
    def replicas() -> float | None:
        return watched.prometheus.number(f'count(up{{service="{RELEASE}-bank"}} == 1)')

    bank = f"deployment/{RELEASE}-bank"
    watched.lab.kubectl("scale", bank, "--replicas=2")
    try:
        eventually("the second replica", lambda: replicas() == 2, 60)
    finally:
        watched.lab.kubectl("scale", bank, "--replicas=1")
    eventually("one replica", lambda: replicas() == 1, 60)


def test_an_auditor_that_is_gone_is_noticed(watched: Watched) -> None:
    auditor = f"deployment/{RELEASE}-auditor"
    watched.lab.kubectl("scale", auditor, "--replicas=0")
    try:
        pending = eventually("the alert", lambda: [one for one in watched.prometheus.alerts() if is_down(one)], 60)
    finally:
        watched.lab.kubectl("scale", auditor, "--replicas=1")
    assert pending[0]["labels"]["namespace"] == watched.lab.namespace
    watched.lab.ready("auditor")
    eventually("the alert to end", lambda: not any(map(is_down, watched.prometheus.alerts())), 60)


def is_down(alert: dict[str, Any]) -> bool:
    return bool(alert["labels"]["alertname"] == "RacelabAuditorDown")


def test_the_api_server_takes_grafana_and_its_pod_passes_restricted_pod_security(namespace: str) -> None:
    command = [
        "helm",
        "template",
        RELEASE,
        str(CHART),
        f"--namespace={namespace}",
        "--set=monitoring.bundled.enabled=true",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    ours = [one for one in objects if one["metadata"]["name"] in {f"{RELEASE}-grafana", f"{RELEASE}-dashboards"}]
    assert {one["kind"] for one in ours} == {"Secret", "ConfigMap", "Deployment", "Service", "NetworkPolicy"}
    [template] = [one["spec"]["template"] for one in ours if one["kind"] == "Deployment"]
    metadata = {**template["metadata"], "name": "grafana", "namespace": namespace}
    # A Deployment is only warned of what a Pod is refused for.
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    dry_run = ("--server-side", "--dry-run=server", "--filename=-", "--namespace", namespace)
    applied = try_kubectl("apply", *dry_run, stdin=yaml.safe_dump_all([*ours, pod]))
    assert (applied.returncode, applied.stderr) == (0, "")
    assert len(applied.stdout.splitlines()) == len(ours) + 1
