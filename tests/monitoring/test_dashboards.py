"""The dashboards' JSON: whole, readable, and about metrics that exist."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest

from derived_dashboards import DASHBOARDS, LOCAL_ALERTS, dashboard_files
from monitoring.known_metrics import families
from monitoring.reading import METRIC, NAMES, dashboard, everything_asked, filled, panels, variables

VARIABLE = re.compile(r"\$\{?(?!__)(\w+)\}?")
KINDS = {"timeseries", "stat", "bargauge", "heatmap", "table"}
PLAIN_NUMBERS = {"short"}
WAY = ["Spec", "Replicas", "Load", "Ledger", "Audit", "Verdict"]


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    return {
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    }


def test_the_committed_dashboards_are_those_that_are_generated() -> None:
    assert {path.name for path in DASHBOARDS.iterdir()} == {f"{name}.json" for name in NAMES}
    assert [path.name for path, text in dashboard_files().items() if path.read_text(encoding="utf-8") != text] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_covers_another_and_ids_are_unique(name: str) -> None:
    all_of_them = dashboard(name)["panels"]
    ids = [panel["id"] for panel in all_of_them]
    assert len(set(ids)) == len(ids)
    for one, other in combinations(all_of_them, 2):
        assert not cells(one) & cells(other), f"{one['title']} and {other['title']}"
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in all_of_them)


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows_in_which_unit_and_what_it_means_when_there_is_nothing(name: str) -> None:
    for panel in panels(name):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["type"] in KINDS
        assert panel["description"].endswith("."), panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["noValue"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("name", NAMES)
def test_the_curves_of_a_panel_have_names_that_tell_them_apart(name: str) -> None:
    for panel in panels(name):
        if panel["type"] in {"timeseries", "stat", "bargauge"}:
            legends = [target.get("legendFormat") for target in panel["targets"]]
            assert all(legends), panel["title"]
            assert len(set(legends)) == len(legends), panel["title"]
            for target in panel["targets"]:
                grouped = re.findall(r"by \(([\w, ]+)\)", target["expr"])
                kept = {label for group in grouped for label in group.split(", ")} - {"le", "namespace"}
                named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                assert named <= kept, f"{panel['title']}: {target['legendFormat']}"


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_used_and_every_used_one_is_there(name: str) -> None:
    known = variables(name)
    links = [link["url"] for link in dashboard(name)["links"]]
    used = {found for text in [*everything_asked(name), *links, "${datasource}"] for found in VARIABLE.findall(text)}
    assert used == set(known)
    assert [filled(expr) for expr in everything_asked(name)]  # fails for one that tests know no value of


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_that_lists_labels_takes_several_and_all_of_them_even_the_empty_one(name: str) -> None:
    for one in variables(name).values():
        if one["type"] == "query":
            assert (one["multi"], one["includeAll"], one["allValue"]) == (True, True, ".*")


def test_the_rows_of_drift_are_in_the_order_of_the_way() -> None:
    rows = [panel["title"].partition(":")[0] for panel in dashboard("drift")["panels"] if panel["type"] == "row"]
    assert rows == WAY


@pytest.mark.parametrize("title", ["Drift", "Σ|drift|"])
def test_a_figure_of_drift_is_red_for_a_cent_either_way_and_green_at_nothing(title: str) -> None:
    [panel] = [one for one in panels("drift") if (one["type"], one["title"]) == ("stat", title)]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]

    def colour(value: float) -> str:
        *_, last = [step["color"] for step in steps if step["value"] is None or step["value"] <= value]
        return str(last)

    assert [colour(value) for value in (-186, -0.01, 0, 0.01, 186)] == ["red", "red", "green", "red", "red"]


def test_step_boundaries_are_annotated_at_the_time_that_the_series_tell() -> None:
    found = dashboard("drift")["annotations"]["list"]
    assert [one["name"] for one in found] == ["Step begins", "Step ends"]
    for one in found:
        assert one["useValueForTime"] is True
        assert one["expr"].endswith(" * 1000")  # Grafana takes milliseconds


@pytest.mark.parametrize("name", NAMES)
def test_every_dashboard_leads_to_the_live_page_and_to_the_other_dashboards(name: str) -> None:
    links = {link["type"]: link for link in dashboard(name)["links"]}
    assert links["link"]["url"] == "${auditor_url}/"
    assert links["dashboards"]["tags"] == dashboard(name)["tags"] == ["racelab"]
    assert variables(name)["auditor_url"]["query"].startswith("http://")


def metrics_asked_for() -> set[str]:
    """Name all that dashboards and alerts read."""
    asked = [expr for name in NAMES for expr in everything_asked(name)]
    texts = [*asked, *(path.read_text(encoding="utf-8") for path in (LOCAL_ALERTS, DASHBOARDS.parent / "alerts.yaml"))]
    return {metric for text in texts for metric in METRIC.findall(text)}


def test_every_metric_that_is_asked_for_exists() -> None:
    known = set().union(*families().values())
    assert metrics_asked_for() - known == set()


def test_every_metric_has_somebody_who_asks_for_it() -> None:
    unread = {name for name, samples in families().items() if not samples & metrics_asked_for()}
    assert unread == set()
