"""The alerts, evaluated by promtool: each fires on what it is for, says what it should, and is silent otherwise."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
import yaml

from dashboards.alerts import CHART, LOCAL, Place, release_place, rules
from derived_dashboards import FILES, LOCAL_ALERTS, ROOT
from monitoring.alert_cases import CASES
from monitoring.prometheus_server import needs_promtool
from monitoring.promtool import alerts, cases, checked, promtool

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = release_place("default", "lab")
PLACES = {"release": RELEASE, "local lab": LOCAL}
MONITORING_PAGE = ROOT / "docs" / "monitoring.md"


@needs_promtool
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_each_alert_fires_on_what_it_is_for_and_is_silent_otherwise(place: Place, tmp_path: Path) -> None:
    done = promtool(tmp_path, place, rules(place), cases(place))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_every_alert_has_a_case_that_fires_and_one_that_is_silent(place: Place) -> None:
    for alert in alerts(rules(place)):
        of_it = [case for case in CASES if case.alert == alert]
        assert {case.labels is None for case in of_it} == {True, False}, alert
    assert {case.alert for case in CASES} == set(alerts(rules(RELEASE)))


@needs_promtool
@pytest.mark.parametrize("alert", alerts(rules(RELEASE)))
@pytest.mark.parametrize("broken", ["vector(1) < 0", "vector(1)"], ids=["never", "always"])
def test_an_alert_that_never_or_always_fires_is_noticed(alert: str, broken: str, tmp_path: Path) -> None:
    mutated = rules(RELEASE)
    alerts(mutated)[alert]["expr"] = broken
    done = promtool(tmp_path, RELEASE, mutated, [case for case in CASES if case.alert == alert])
    assert done.returncode != 0
    assert alert in done.stdout + done.stderr


@needs_promtool
def test_drift_is_told_of_the_experiments_and_with_the_severity_that_are_asked_for(tmp_path: Path) -> None:
    only_safe = release_place("default", "lab", drift_experiments="safe-.*", drift_severity="critical")
    [fires] = [case for case in CASES if case.alert == "RacelabDrift" and case.value == "186.00"]
    other = replace(fires, labels=None)
    [(series, values)] = fires.series.items()
    assert fires.labels is not None
    safe = replace(
        fires,
        series={series.replace("quickstart", "safe-nightly"): values},
        labels={**fires.labels, "experiment": "safe-nightly"},
    )
    done = promtool(tmp_path, only_safe, rules(only_safe), [other, safe])
    assert done.returncode == 0, done.stdout + done.stderr
    assert alerts(rules(only_safe))["RacelabDrift"]["labels"] == {"severity": "critical"}


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_rules(tmp_path: Path) -> None:
    checked(tmp_path, rules(RELEASE))
    checked(tmp_path, yaml.safe_load(LOCAL_ALERTS.read_text(encoding="utf-8")))


def test_a_local_lab_has_the_ledgers_alerts_and_no_operator() -> None:
    local = yaml.safe_load(LOCAL_ALERTS.read_text(encoding="utf-8"))
    assert list(alerts(local)) == ["RacelabDrift", "RacelabTornWrite", "RacelabAuditLagging", "RacelabAuditorDown"]


def test_helm_fills_in_its_own_and_leaves_what_prometheus_fills_in() -> None:
    """Without Helm: its few actions, performed here."""
    text = (FILES / "alerts.yaml").read_text(encoding="utf-8")
    for action, value in {
        "{{ .Release.Namespace }}": "default",
        '{{ include "racelab.fullname" . }}': "lab",
        "{{ .Values.monitoring.alerts.drift.experiments }}": ".*",
        "{{ .Values.monitoring.alerts.drift.severity }}": "info",
    }.items():
        assert action in text
        text = text.replace(action, value)
    assert yaml.safe_load(re.sub(r"\{\{ `(.*?)` \}\}", r"\1", text)) == rules(RELEASE)
    assert all(value for value in asdict(CHART).values())


def test_the_page_tells_what_to_do_about_each_alert() -> None:
    headings = re.findall(r"^### (\w+)$", MONITORING_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(alerts(rules(RELEASE)))
    for alert, rule in alerts(rules(RELEASE)).items():
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{alert.lower()}"
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
