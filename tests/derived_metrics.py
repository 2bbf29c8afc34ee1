"""docs/metrics.md: every sample for Prometheus, from the code that makes it, and what shows it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/metrics.md"

# Dashboards and alerts: what is in them is shown in the last column.
SHOWING = "helm/racelab/files"

HEAD = """# Metrics

Made by `make generate` from the code; do not edit. What Prometheus scrapes, by who tells it. Amounts are integer
cents, times are seconds. Accounts, operations and runs' keys are never labels, and what has ended leaves: a run 15
minutes after it was closed, an experiment with its object. So the number of series is bounded.

`experiment` and `step` are the names of the file; `experiment` is the run's key where nobody named it, as
`playground`. Of several runs of one step, the newest is shown. Counters begin again with a run. *Run's* labels are
`experiment`, `step`, `scenario`, `strategy`, `isolation` and `replicas`.
"""

SOURCES = {
    "Auditor": (
        "`/metrics` on the auditor's own port, open for reading. Made on each scrape from the live audit; what load "
        "generators recorded is added when their histories have come: a generator is gone before anyone could scrape "
        "it."
    ),
    "Bank": "`/metrics` on the metrics port of each replica (`--metrics-bind`), summed over its workers.",
    "Operator": "`/metrics` on the operator's port.",
}


def metrics_by_source() -> dict[str, list[Metric]]:
    """Return the families of each source, in the order in which they are told."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")
    import django

    django.setup()
    from prometheus_client.core import GaugeMetricFamily

    from racelab_bank import metrics as bank
    from racelab_bank.auditor.collecting import Audits
    from racelab_bank.serving.probe import WORKERS
    from racelab_operator.platforms.kubernetes import metrics as operator

    found = {
        "Auditor": list(Audits().describe()),
        "Bank": [
            *_families(bank.REQUESTS, bank.DURATION, bank.RETRIES, bank.WINDOW, bank.WINDOW_PEAK),
            GaugeMetricFamily(*WORKERS),
        ],
        "Operator": _families(
            operator.RECONCILE_SECONDS,
            operator.RECONCILE_ERRORS,
            operator.EXPERIMENTS,
            operator.EXPIRED,
            operator.STANDINGS,
        ),
    }
    assert found.keys() == SOURCES.keys()
    return found


def _families(*collectors: object) -> list[Metric]:
    families: list[Metric] = []
    for collector in collectors:
        for family in collector.collect():  # type: ignore[attr-defined]
            family.labels = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", ())
            families.append(family)
    return families


def exposed_name(family: Metric) -> str:
    """Return what a query is written with; a histogram's has suffixes."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def metrics_page() -> str:
    """Return docs/metrics.md."""
    shown = {path: path.read_text(encoding="utf-8") for path in _showing()}
    parts = [HEAD]
    for source, families in metrics_by_source().items():
        parts += [f"## {source}\n", f"{SOURCES[source]}\n", _row("Name", "Type", "Labels", "What it tells", "Shown in")]
        parts.append(_row(*["---"] * 5))
        for family in families:
            name = exposed_name(family)
            named = re.compile(rf"\b{name}(_bucket|_sum|_count)?\b")
            labels = _told(_labels(family))
            where = ", ".join(_title(path) for path, text in shown.items() if named.search(text))
            parts.append(_row(f"`{name}`", family.type, labels, family.documentation, where or "–"))
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _showing() -> Iterable[Path]:
    files = ROOT / SHOWING
    return sorted(path for path in files.rglob("*") if path.suffix in {".json", ".yaml"} and path.name != "crd.yaml")


def _title(path: Path) -> str:
    return f"{path.parent.name.rstrip('s')} {path.stem}" if path.parent.name == "dashboards" else path.stem


def _labels(family: Metric) -> tuple[str, ...]:
    told: Iterable[str] = getattr(family, "labels", None) or getattr(family, "_labelnames", None) or ()
    return tuple(told)


def _told(labels: tuple[str, ...]) -> str:
    from racelab_bank.auditor.collecting import LABELS

    own = labels
    parts = []
    if labels[: len(LABELS)] == LABELS:
        own, parts = labels[len(LABELS) :], ["*run's*"]
    return ", ".join([*parts, *(f"`{label}`" for label in own)]) or "–"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
