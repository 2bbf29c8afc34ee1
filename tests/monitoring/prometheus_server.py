"""A real Prometheus for tests: started on a configuration, asked by its API."""

from __future__ import annotations

import contextlib
import math
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
import pytest
import yaml

from racelab_operator.platforms.local.ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

Found = TypeVar("Found")
Series = list[dict[str, Any]]

WAIT_SECONDS: Final = 30
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no program prometheus on PATH: apt-get install prometheus"
)
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no program promtool on PATH: apt-get install prometheus"
)


def eventually(what: str, ask: Callable[[], Found | None], seconds: float = WAIT_SECONDS) -> Found:
    """Ask until there is something; fail with `what` after so long. A scrape has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Server:
    """A Prometheus at an address."""

    url: str

    def _get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=20, trust_env=False)
        said = answer.json()
        assert said["status"] == "success", f"{parameters}: {said.get('error', said)}"
        return said["data"]

    def instant(self, expr: str, at: float | None = None) -> Series:
        """Evaluate at one moment, now if none is given; the series that have a number."""
        asked = {"query": expr} | ({} if at is None else {"time": at})
        found = self._get("query", **asked)
        series = found["result"] if found["resultType"] == "vector" else [{"metric": {}, "value": found["result"]}]
        return [one for one in series if math.isfinite(float(one["value"][1]))]

    def over(self, expr: str, start: float, end: float, step_seconds: float = 1) -> Series:
        """Evaluate over a time; the series that have a number at some moment."""
        series = self._get("query_range", query=expr, start=start, end=end, step=step_seconds)["result"]
        return [one for one in series if any(math.isfinite(float(value)) for _, value in one["values"])]

    def number(self, expr: str) -> float | None:
        """Evaluate what gives one number; None while there is none."""
        found = self.instant(expr)
        assert len(found) <= 1, f"{expr} gives {len(found)} series"
        return float(found[0]["value"][1]) if found else None

    def label_values(self, label: str, series: str) -> list[str]:
        """Give the values of a label of some series."""
        found: list[str] = self._get(f"label/{label}/values", **{"match[]": series})
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """Give what fires, and what is about to."""
        found: list[dict[str, Any]] = self._get("alerts")["alerts"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Give its alerting rules, with how their last evaluation went."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> dict[str, str]:
        """Give the instances that it scrapes, with the addresses of their metrics."""
        found = self._get("targets", state="active")["activeTargets"]
        return {one["labels"]["instance"]: one["scrapeUrl"] for one in found}

    def up(self) -> dict[str, str]:
        """Give the instances that answered the last scrape, with their jobs."""
        return {one["metric"]["instance"]: one["metric"]["job"] for one in self.instant("up == 1")}


@contextlib.contextmanager
def running(folder: Path, configuration: Mapping[str, Any], rules: str) -> Iterator[Server]:
    """Run a Prometheus on this configuration and these rules, until it is not needed any more."""
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    (folder / "prometheus.yml").write_text(yaml.safe_dump({**configuration, "rule_files": ["rules.yaml"]}))
    port = free_port()
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={LOOPBACK}:{port}"], cwd=folder, stdout=log, stderr=log
        )
    try:
        url = f"http://{LOOPBACK}:{port}"

        def ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{url}/-/ready", trust_env=False).is_success
            return False

        eventually("Prometheus to be ready", ready)
        yield Server(url)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
