"""Every sample that racelab's programs tell Prometheus, as the code declares them."""

from __future__ import annotations

from typing import Final

from derived_metrics import metrics_by_source

SUFFIXES: Final = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def families() -> dict[str, set[str]]:
    """Give the names of the samples of each metric."""
    found = (metric for metrics in metrics_by_source().values() for metric in metrics)
    return {metric.name: {metric.name + suffix for suffix in SUFFIXES[metric.type]} for metric in found}
