"""The chart's dashboards and alerts, and the alerts of a local lab, as the Python in tests/dashboards/ says."""

from pathlib import Path
from typing import Final

from dashboards.alerts import chart_rules, local_rules
from dashboards.bank import bank
from dashboards.drift import drift
from dashboards.operator import operator

ROOT: Final = Path(__file__).parent.parent
FILES: Final = ROOT / "helm/racelab/files"
DASHBOARDS: Final = FILES / "dashboards"
LOCAL_ALERTS: Final = ROOT / "operator/racelab_operator/platforms/local/alerts.yaml"


def dashboard_files() -> dict[Path, str]:
    """Return the wanted text of every dashboard and rule file, by its path."""
    return {
        DASHBOARDS / "drift.json": drift(),
        DASHBOARDS / "bank.json": bank(),
        DASHBOARDS / "operator.json": operator(),
        FILES / "alerts.yaml": chart_rules(),
        LOCAL_ALERTS: local_rules(),
    }
