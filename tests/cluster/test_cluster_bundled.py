"""The chart's monitoring as Helm renders it: alerts, dashboards, the bundled Prometheus and Grafana."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dashboards.alerts import release_place, rules
from derived_dashboards import DASHBOARDS, ROOT
from monitoring.prometheus_server import needs_promtool
from monitoring.promtool import Rules, alerts, cases, checked, promtool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.cluster

BUNDLED = "--set=monitoring.bundled.enabled=true"
RULES = "--set=monitoring.prometheusRule.enabled=true"
RELEASE = release_place("races", "lab")
SIDECAR = "--set=monitoring.dashboards.enabled=true"

Object = dict[str, Any]


def rendered(*options: str) -> dict[tuple[str, str], Object]:
    """Render the chart; its objects by kind and name."""
    command = ["helm", "template", "lab", str(ROOT / "helm" / "racelab"), "--namespace=races", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout) if one}


def pod(objects: dict[tuple[str, str], Object], name: str) -> Object:
    found: Object = objects["Deployment", name]["spec"]["template"]["spec"]
    return found


def mounted(spec: Object, path: str) -> Object:
    """Give the volume that is mounted at a path of the only container."""
    [container] = spec["containers"]
    [name] = [mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == path]
    [volume] = [volume for volume in spec["volumes"] if volume["name"] == name]
    return dict(volume)


def who_reaches(objects: dict[tuple[str, str], Object], name: str, port: str) -> list[Object]:
    rules_of_it = objects["NetworkPolicy", name]["spec"]["ingress"] or []
    return [source for rule in rules_of_it if rule["ports"] == [{"port": port}] for source in rule["from"]]


def component(name: str) -> Object:
    labels = {"name": "racelab", "instance": "lab", "component": name}
    return {"podSelector": {"matchLabels": {f"app.kubernetes.io/{key}": value for key, value in labels.items()}}}


def test_nothing_of_it_is_there_unless_it_is_asked_for() -> None:
    names = {name for _, name in rendered()}
    assert not {name for name in names if name.rpartition("-")[2] in {"prometheus", "grafana", "dashboards"}}


@needs_promtool
def test_promtool_takes_the_configuration_and_its_rules_are_the_tested_ones(tmp_path: Path) -> None:
    data = rendered(BUNDLED)["ConfigMap", "lab-prometheus"]["data"]
    assert yaml.safe_load(data["alerts.yaml"]) == rules(RELEASE)
    (tmp_path / "alerts.yaml").write_text(data["alerts.yaml"], encoding="utf-8")
    here = data["prometheus.yml"].replace("/etc/racelab/prometheus", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(here, encoding="utf-8")
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 rules found" in done.stdout


@pytest.mark.parametrize("options", [[], ["--set=operator.enabled=false"]])
def test_prometheus_scrapes_the_ports_that_services_have_with_the_labels_that_alerts_ask_for(
    options: list[str],
) -> None:
    objects = rendered(BUNDLED, *options)
    configuration = yaml.safe_load(objects["ConfigMap", "lab-prometheus"]["data"]["prometheus.yml"])
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    assert set(jobs) == {"bank", "auditor"} | (set() if options else {"operator"})

    for job in jobs.keys() - {"bank"}:
        [target] = jobs[job]["static_configs"]
        service = objects["Service", f"lab-{job}"]
        assert target["targets"] == [f"lab-{job}:{service['spec']['ports'][0]['port']}"]
        assert target["labels"] == {"namespace": "races", "service": f"lab-{job}"}

    [discovery] = jobs["bank"]["dns_sd_configs"]
    headless = objects["Service", "lab-bank-headless"]["spec"]
    assert discovery["names"] == ["lab-bank-headless.races.svc"]
    assert discovery["port"] in [port["port"] for port in headless["ports"] if port["name"] == "metrics"]
    labels = {one["target_label"]: one["replacement"] for one in jobs["bank"]["relabel_configs"]}
    assert labels == {"namespace": "races", "service": "lab-bank"}


def test_grafana_is_provisioned_with_the_data_source_and_the_committed_dashboards() -> None:
    objects = rendered(BUNDLED)
    spec = pod(objects, "lab-grafana")
    files = {one["key"]: one["path"] for one in mounted(spec, "/etc/racelab/grafana")["configMap"]["items"]}
    provisioning = objects["ConfigMap", "lab-grafana"]["data"]
    assert set(files) == set(provisioning)

    [source] = yaml.safe_load(provisioning["datasource.yaml"])["datasources"]
    service = objects["Service", "lab-prometheus"]["spec"]
    assert files["datasource.yaml"].startswith("datasources/")
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert source["url"] == f"http://lab-prometheus:{service['ports'][0]['port']}"
    assert source["jsonData"]["timeInterval"] == "2s"  # as often as it scrapes

    [provider] = yaml.safe_load(provisioning["dashboards.yaml"])["providers"]
    folder = mounted(spec, provider["options"]["path"])
    assert files["dashboards.yaml"].startswith("dashboards/")
    data = objects["ConfigMap", folder["configMap"]["name"]]["data"]
    committed = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.iterdir()}
    assert {name: json.loads(text) for name, text in data.items()} == committed
    [container] = spec["containers"]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["GF_PATHS_PROVISIONING"] == "/etc/racelab/grafana"
    home = environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/drift.json"


@pytest.mark.parametrize("name", ["lab-prometheus", "lab-grafana"])
def test_both_are_hardened_as_the_other_pods(name: str) -> None:
    spec = pod(rendered(BUNDLED), name)
    [container] = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    assert {"readinessProbe", "livenessProbe"} <= set(container)
    assert not container["image"].endswith(":latest")


def test_prometheus_may_scrape_also_where_nobody_else_may() -> None:
    objects = rendered(BUNDLED, "--set-json=networkPolicy.metricsFrom=[]")
    for name, port in {"bank": "metrics", "auditor": "http", "operator": "http"}.items():
        assert component("prometheus") in who_reaches(objects, f"lab-{name}", port)
    assert who_reaches(objects, "lab-prometheus", "http") == [component("grafana")]
    assert who_reaches(objects, "lab-grafana", "http") == []


def test_without_grafana_there_is_only_prometheus() -> None:
    names = {name for _, name in rendered(BUNDLED, "--set=monitoring.bundled.grafana.enabled=false")}
    assert "lab-prometheus" in names
    assert "lab-grafana" not in names


def test_the_dashboards_have_the_label_that_sidecars_look_for_only_when_asked() -> None:
    asked = rendered(SIDECAR)["ConfigMap", "lab-dashboards"]
    assert asked["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert set(asked["data"]) == {"bank.json", "drift.json", "operator.json"}
    assert "grafana_dashboard" not in rendered(BUNDLED)["ConfigMap", "lab-dashboards"]["metadata"]["labels"]


def test_a_password_of_ones_own_is_used_and_none_is_made() -> None:
    objects = rendered(BUNDLED, "--set=monitoring.bundled.grafana.existingSecret=mine")
    [container] = pod(objects, "lab-grafana")["containers"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "mine", "key": "admin-password"}
    assert ("Secret", "lab-grafana") not in objects


def test_a_change_of_the_alerts_starts_prometheus_anew() -> None:
    def annotation(*options: str) -> str:
        template = rendered(BUNDLED, *options)["Deployment", "lab-prometheus"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/configuration"])

    assert annotation() == annotation()
    assert annotation() != annotation("--set=monitoring.alerts.drift.severity=critical")


def rendered_rules(*options: str) -> Rules:
    found: Rules = rendered(RULES, *options)["PrometheusRule", "lab-operator"]["spec"]
    return found


@needs_promtool
def test_the_chart_renders_the_alerts_that_are_tested(tmp_path: Path) -> None:
    assert rendered_rules() == rules(RELEASE)
    checked(tmp_path, rendered_rules())
    done = promtool(tmp_path, RELEASE, rendered_rules(), cases(RELEASE))
    assert done.returncode == 0, done.stdout + done.stderr


def test_values_decide_which_alerts_there_are_and_how_drift_is_told() -> None:
    groups = [group["name"] for group in rendered_rules("--set=operator.enabled=false")["groups"]]
    assert groups == ["racelab.ledger"]
    assert "RacelabDrift" not in alerts(rendered_rules("--set=monitoring.alerts.drift.enabled=false"))
    asked = "--set=monitoring.alerts.drift.severity=critical,monitoring.alerts.drift.experiments=safe-.*"
    other = release_place("races", "lab", drift_experiments="safe-.*", drift_severity="critical")
    assert rendered_rules(asked) == rules(other)
