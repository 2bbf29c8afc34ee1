"""A real Prometheus on a real run: every panel and every alert gets its data, and drift is what the audit says."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

from dashboards.alerts import LOCAL, release_place, rules
from monitoring.prometheus_server import Server, eventually, needs_prometheus, needs_promtool
from monitoring.promtool import metrics_are_clean
from monitoring.reading import PanelQuery, filled, label_queries, queries, step_boundaries

if TYPE_CHECKING:
    from monitoring.conftest import OperatorSeen, Scraped

pytestmark = [needs_prometheus, pytest.mark.timeout(240)]

AUDITED = {
    "racelab_balance_cents": "balance_cents",
    "racelab_ledger_total_cents": "ledger_total_cents",
    "racelab_balance_drift_cents": "drift_cents",
    "racelab_absolute_drift_cents": "absolute_drift_cents",
    "racelab_entries_total": "entries",
    "racelab_lost_updates": "lost",
    "racelab_stale_installs_total": "culprits",
}
LOADED = [*queries("drift"), *queries("bank")]
COMPARISON = re.compile(r"( / 100)? (==|>|<) \d+( or .*)?$")


RULES = {
    rule["alert"]: rule["expr"] for group in rules(release_place("default", "lab"))["groups"] for rule in group["rules"]
}
LOCAL_RULES = {rule["alert"]: rule["expr"] for group in rules(LOCAL)["groups"] for rule in group["rules"]}
OPERATORS = sorted(RULES.keys() - LOCAL_RULES.keys())


def gets_data(prometheus: Server, query: PanelQuery, begin: float) -> None:
    """Ask as the panel does, until the moments that it asks about are past."""

    def data() -> list[dict[str, Any]]:
        if query.instant:
            return prometheus.instant(query.asked)
        return prometheus.over(query.asked, begin, time.time())

    eventually(query.asked, data, 15)


@pytest.mark.parametrize("query", LOADED, ids=str)
def test_every_panel_of_drift_and_bank_has_data_of_a_run(query: PanelQuery, scraped: Scraped) -> None:
    gets_data(scraped.prometheus, query, scraped.begin)


@pytest.mark.parametrize("query", [*queries("operator")], ids=str)
def test_every_panel_of_operator_has_data(query: PanelQuery, operator_seen: OperatorSeen) -> None:
    gets_data(operator_seen.prometheus, query, operator_seen.begin)


@pytest.mark.parametrize("name", ["drift", "bank"])
def test_variables_offer_what_there_is(name: str, scraped: Scraped) -> None:
    found = {label: scraped.prometheus.label_values(label, filled(series)) for series, label in label_queries(name)}
    assert found.pop("namespace") == []  # there is none on one machine
    assert all(found.values()), found
    if name == "drift":
        assert found["experiment"] == ["playground", "sample"]
        assert len(found["step"]) == 2
    else:
        assert found["instance"] == ["bank-0", "bank-1"]
        assert set(found["strategy"]) == set(scraped.audits)


def test_the_operators_variables_offer_what_there_is(operator_seen: OperatorSeen) -> None:
    asked = label_queries("operator")
    found = {label: operator_seen.prometheus.label_values(label, filled(series)) for series, label in asked}
    assert found == {"namespace": ["default"], "experiment": ["auditing", "loading", "waiting"]}


@pytest.mark.parametrize("metric", AUDITED)
def test_prometheus_has_the_figures_of_the_audit(metric: str, scraped: Scraped) -> None:
    for strategy, audit in scraped.audits.items():
        asked = f'{metric}{{experiment="sample",strategy="{strategy}"}}'
        assert scraped.prometheus.number(asked) == getattr(audit, AUDITED[metric]), asked


def test_the_racy_strategy_has_drifted_and_the_safe_one_has_not(scraped: Scraped) -> None:
    drift = {strategy: audit.absolute_drift_cents for strategy, audit in scraped.audits.items()}
    assert drift["atomic_only"] > 0
    assert drift["row_lock"] == 0


def test_prometheus_has_what_the_generators_were_told(scraped: Scraped) -> None:
    for strategy, audit in scraped.audits.items():
        asked = f'sum by (type) (racelab_load_operations_total{{strategy="{strategy}"}})'
        counted = {one["metric"]["type"]: float(one["value"][1]) for one in scraped.prometheus.instant(asked)}
        told = {"ok": audit.operations.ok, "fail": audit.operations.fail, "info": audit.operations.info}
        assert counted == {kind: number for kind, number in told.items() if number}


def test_drift_was_seen_to_grow_while_the_load_ran(scraped: Scraped) -> None:
    asked = 'racelab_absolute_drift_cents{strategy="atomic_only"}'
    [series] = scraped.prometheus.over(asked, scraped.begin, scraped.end, 0.5)
    values = [float(value) for _, value in series["values"]]
    assert values[-1] == scraped.audits["atomic_only"].absolute_drift_cents
    assert len(set(values)) > 1  # it was seen on the way, too


def test_step_boundaries_are_where_the_steps_began_and_ended(scraped: Scraped) -> None:
    began, ended = (
        sorted(float(one["value"][1]) / 1000 for one in scraped.prometheus.instant(filled(found["expr"])))
        for found in step_boundaries("drift")
    )
    assert len(began) == 3  # the playground, too
    assert len(ended) == 2
    playground, first, second = began
    assert playground < scraped.begin < first < ended[0] < ended[1] < scraped.end
    assert first < second < ended[1]


def test_the_bank_counted_what_the_ledger_holds(scraped: Scraped) -> None:
    applied = scraped.prometheus.number('sum(racelab_bank_requests_total{outcome="applied"})')
    assert applied == sum(audit.entries for audit in scraped.audits.values())


@pytest.mark.parametrize("alert", LOCAL_RULES)
def test_every_alert_of_a_local_lab_looks_at_series_that_there_are(alert: str, scraped: Scraped) -> None:
    expr = LOCAL_RULES[alert]
    watched = COMPARISON.sub("", expr)
    assert watched != expr
    assert scraped.prometheus.instant(watched), watched
    scraped.prometheus.instant(expr)  # fails where Prometheus does not understand it


def test_the_drift_alert_fires_for_the_step_that_drifted_and_for_no_other(scraped: Scraped) -> None:
    def fires() -> list[dict[str, Any]]:
        return [one for one in scraped.prometheus.alerts() if one["state"] == "firing"]

    [alert] = eventually("an alert", fires)
    drifted = scraped.audits["atomic_only"].absolute_drift_cents
    assert alert["labels"]["alertname"] == "RacelabDrift"
    assert alert["labels"]["strategy"] == "atomic_only"
    assert f"is off by {drifted / 100:.2f} in deposit" in alert["annotations"]["description"]
    assert "{{" not in str(alert["annotations"])


def test_the_auditors_alert_has_something_to_say_when_nobody_scrapes_it(scraped: Scraped) -> None:
    down = LOCAL_RULES["RacelabAuditorDown"]
    assert scraped.prometheus.instant(down, at=scraped.begin - 600)
    assert not scraped.prometheus.instant(down)


@pytest.mark.parametrize("alert", OPERATORS)
def test_every_alert_of_the_operator_gives_data_when_it_should(alert: str, operator_seen: OperatorSeen) -> None:
    before = operator_seen.begin - 600
    at = before if alert == "RacelabOperatorDown" else None
    assert operator_seen.prometheus.instant(RULES[alert], at=at), RULES[alert]


def test_the_experiment_that_waits_is_not_called_stuck(operator_seen: OperatorSeen) -> None:
    found = operator_seen.prometheus.instant(RULES["RacelabExperimentStuck"])
    assert {one["metric"]["experiment"] for one in found} == {"loading", "auditing"}


def exposition(who: str, scraped: Scraped) -> str:
    if who == "operator":
        return generate_latest(REGISTRY).decode()
    return httpx.get(scraped.prometheus.targets()[who], trust_env=False).text


@needs_promtool
@pytest.mark.parametrize("who", ["auditor", "bank-0", "operator"])
def test_promtool_finds_nothing_wrong_with_the_metrics(who: str, scraped: Scraped) -> None:
    text = exposition(who, scraped)
    assert "racelab_" in text
    metrics_are_clean(text)


def test_prometheus_follows_the_replicas_when_the_lab_scales(scraped: Scraped) -> None:
    def replicas() -> set[str]:
        return {instance for instance, job in scraped.prometheus.up().items() if job == "bank"}

    scraped.lab.scale(3)
    eventually("the third replica to be scraped", lambda: replicas() == {"bank-0", "bank-1", "bank-2"})
    scraped.lab.scale(1)
    eventually("two replicas to be let go", lambda: replicas() == {"bank-0"})
    scraped.lab.scale(2)
    eventually("the second to be back", lambda: replicas() == {"bank-0", "bank-1"})


def test_what_is_written_is_a_configuration_that_promtool_takes(scraped: Scraped) -> None:
    folder = scraped.lab.home / "prometheus"
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))["global"]["scrape_interval"] == "1s"
