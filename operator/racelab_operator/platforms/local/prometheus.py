"""A Prometheus that scrapes the lab: every second, all replicas and the auditor, with the lab's alerts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from racelab_operator.platforms.local.environments import clean_environment
from racelab_operator.platforms.local.errors import WRONG_USE, LabError
from racelab_operator.platforms.local.ports import LOOPBACK, free_port, listen
from racelab_operator.platforms.local.processes import Child, spawn
from racelab_operator.platforms.local.replicas import is_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAM: Final = "prometheus"
ALERTS: Final = Path(__file__).with_name("alerts.yaml")
REPLICAS_FILE: Final = "replicas.json"
INTERVAL: Final = "1s"
RETENTION: Final = ("--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=1GB")


def program() -> Path:
    """Return where Prometheus is installed; LabError when it is not."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise LabError(
            "--prometheus: there is no program `prometheus` on PATH; install it (Debian and Ubuntu: apt-get install "
            "prometheus; else https://prometheus.io/download), or leave --prometheus out",
            WRONG_USE,
        )
    return Path(found).absolute()


def configuration(auditor_port: int) -> dict[str, Any]:
    """Return Prometheus' configuration; its files are named as seen from its own folder."""
    auditor = {"targets": [f"{LOOPBACK}:{auditor_port}"], "labels": {"instance": "auditor"}}
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [ALERTS.name],
        "scrape_configs": [
            {"job_name": "bank", "file_sd_configs": [{"files": [REPLICAS_FILE], "refresh_interval": "5s"}]},
            {"job_name": "auditor", "static_configs": [auditor]},
        ],
    }


def targets(ports: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return what Prometheus reads from the file of the replicas, given their metrics ports by their names."""
    return [{"targets": [f"{LOOPBACK}:{port}"], "labels": {"instance": name}} for name, port in ports.items()]


class Prometheus:
    """Prometheus as a child of a lab; its data stays in the lab's home, so that runs of several labs can be compared.

    `port`: where it is to listen, or None for a free one; LabError when that port is in use.
    """

    def __init__(self, executable: Path, port: int | None = None) -> None:
        self._executable = executable
        if port is not None:
            listen(port, "--prometheus-port").close()
        self._port = port or free_port()
        self._folder: Path | None = None
        self._told: dict[str, int] | None = None
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self, home: Path, log: Path, auditor_port: int, register: Callable[[Child], None]) -> None:
        """Write its files below `home` and start it, without replicas."""
        folder = home / PROGRAM
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        shutil.copyfile(ALERTS, folder / ALERTS.name)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(auditor_port)), encoding="utf-8")
        self.follow({})
        # Names without a folder: Prometheus takes them as patterns, and a home may have any name.
        self.child = spawn(
            PROGRAM,
            [
                self._executable,
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                *RETENTION,
                f"--web.listen-address={LOOPBACK}:{self._port}",
                "--log.level=warn",
            ],
            log=log,
            environment=clean_environment(),
            register=register,
            directory=folder,
        )

    def follow(self, ports: Mapping[str, int]) -> None:
        """Scrape these replicas from now on, given their metrics ports by their names."""
        wanted = dict(ports)
        if self._folder is None or wanted == self._told:
            return
        new = self._folder / f"{REPLICAS_FILE}.new"
        new.write_text(json.dumps(targets(wanted)), encoding="utf-8")
        new.replace(self._folder / REPLICAS_FILE)
        self._told = wanted

    def is_ready(self) -> bool:
        """Ask whether it answers queries."""
        return is_ready(self._port, "/-/ready")
