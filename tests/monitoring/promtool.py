"""promtool's unit tests of the alerts: a case written as promtool reads it, performed on a rule file."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any, Final

import yaml

from dashboards.alerts import Place, rules
from monitoring.alert_cases import CASES, Case

if TYPE_CHECKING:
    from pathlib import Path

Rules = dict[str, Any]

MATCHER: Final = re.compile(r'(\w+)="([^"]*)"')
SAYING: Final = re.compile(r"\{\{ (.*?) \}\}")


def alerts(of: Rules) -> dict[str, Any]:
    """Give the rules of a file by their names."""
    return {rule["alert"]: rule for group in of["groups"] for rule in group["rules"]}


def cases(place: Place) -> list[Case]:
    """Give the cases of the alerts that a place has."""
    return [case for case in CASES if case.alert in alerts(rules(place))]


def said(words: str, case: Case, labels: dict[str, str]) -> str:
    """Fill in an annotation as Prometheus must."""

    def fill(found: re.Match[str]) -> str:
        if label := re.fullmatch(r"\$labels\.(\w+)", found[1]):
            return labels[label[1]]
        assert found[1].startswith("$value")
        return case.value

    return SAYING.sub(fill, words)


def unit_test(place: Place, of: Rules, case: Case) -> dict[str, Any]:
    """Write a case as promtool reads it."""

    def placed(series: str) -> str:
        return series.replace("{A}", place.auditor).replace("{O}", place.operator)

    expected = []
    if case.labels is not None:
        rule = alerts(of)[case.alert]
        whose = place.operator if any("{O}" in series for series in case.series) else place.auditor
        own = {name: value for name, value in MATCHER.findall(whose) if name in case.place_labels}
        labels = {**own, **case.labels, **rule["labels"]}
        annotations = {name: said(words, case, labels) for name, words in rule["annotations"].items()}
        expected = [{"exp_labels": labels, "exp_annotations": annotations}]
    return {
        "interval": "1m",
        "input_series": [{"series": placed(series), "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }


def promtool(folder: Path, place: Place, of: Rules, chosen: list[Case]) -> subprocess.CompletedProcess[str]:
    """Have promtool perform the cases on these rules."""
    (folder / "alerts.yaml").write_text(yaml.safe_dump(of), encoding="utf-8")
    tests = [unit_test(place, of, case) for case in chosen]
    document = {"rule_files": ["alerts.yaml"], "evaluation_interval": "30s", "tests": tests}
    (folder / "test.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    command = ["promtool", "test", "rules", "test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def checked(folder: Path, of: Rules) -> None:
    """See that promtool finds nothing wrong with a rule file."""
    file = folder / "checked.yaml"
    file.write_text(yaml.safe_dump(of), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts(of))} rules found" in done.stdout


def metrics_are_clean(exposition: str) -> None:
    """See that promtool finds nothing wrong with what Prometheus is told."""
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=exposition, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
