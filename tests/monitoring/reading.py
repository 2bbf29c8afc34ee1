"""The dashboards as Grafana reads them: their panels, their queries, and what it puts in for variables."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from derived_dashboards import DASHBOARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = ("drift", "bank", "operator")
METRIC: Final = re.compile(r"\bracelab_[a-z0-9_]+")
CHOSEN: Final = {
    "$__rate_interval": "4s",
    "$__range": "5m",
    "$namespace": ".*",
    "$experiment": ".*",
    "$step": ".*",
    "$scenario": ".*",
    "$strategy": ".*",
    "$replica": ".*",
}
"""What Grafana puts in where everything is chosen, and Prometheus scrapes once a second."""


@dataclass(frozen=True)
class PanelQuery:
    """One query of a panel, with variables as they are written."""

    dashboard: str
    panel: str
    expr: str
    instant: bool

    @property
    def asked(self) -> str:
        """The query as Prometheus gets it."""
        return filled(self.expr)

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.expr}"


def filled(expr: str) -> str:
    """Put something in for every variable."""
    for variable, value in CHOSEN.items():
        expr = expr.replace(variable, value)
    assert "$" not in expr, f"a variable that no dashboard has: {expr}"
    return expr


def dashboard(name: str) -> dict[str, Any]:
    """Read a dashboard that is committed."""
    found: dict[str, Any] = json.loads((DASHBOARDS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def panels(name: str) -> list[dict[str, Any]]:
    """Give its panels, without the rows' headings."""
    return [panel for panel in dashboard(name)["panels"] if panel["type"] != "row"]


def queries(name: str) -> Iterator[PanelQuery]:
    """Give every query of its panels."""
    for panel in panels(name):
        for target in panel["targets"]:
            yield PanelQuery(name, panel["title"], target["expr"], bool(target.get("instant")))


def variables(name: str) -> dict[str, dict[str, Any]]:
    """Give its variables by name."""
    return {one["name"]: one for one in dashboard(name)["templating"]["list"]}


def label_queries(name: str) -> Iterator[tuple[str, str]]:
    """Give each variable that lists a label's values: the series, and the label."""
    for one in variables(name).values():
        if one["type"] == "query":
            matched = re.fullmatch(r"label_values\((.*), (\w+)\)", one["query"]["query"])
            assert matched, one["query"]
            yield matched[1], matched[2]


def step_boundaries(name: str) -> list[dict[str, Any]]:
    """Give its annotations."""
    found: list[dict[str, Any]] = dashboard(name)["annotations"]["list"]
    return found


def everything_asked(name: str) -> list[str]:
    """Give all that a dashboard asks Prometheus."""
    return [
        *(one.expr for one in queries(name)),
        *(one["expr"] for one in step_boundaries(name)),
        *(series for series, _ in label_queries(name)),
    ]
