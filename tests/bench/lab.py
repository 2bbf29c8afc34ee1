"""What the benchmarks share: a lab in a temporary home, runs on it, loads against it."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from racelab_operator.platforms.local.lab import LocalLab

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = itertools.count()
_SETTLED_SECONDS = 30


class Bench:
    """A running lab."""

    def __init__(self, lab: LocalLab) -> None:
        self._addresses = lab.addresses
        self._api = httpx.Client(
            base_url=self._addresses.auditor_url,
            headers={"Authorization": f"Bearer {self._addresses.token}"},
            timeout=120,
            trust_env=False,
        )

    @property
    def ca_file(self) -> Path:
        """The edge's certificate authority."""
        return self._addresses.ca_file

    @property
    def http_url(self) -> str:
        """Where the edge answers without TLS."""
        return self._addresses.http_url

    @property
    def auditor_url(self) -> str:
        """Where the auditor answers."""
        return self._addresses.auditor_url

    def ask_gate(self, key: str) -> None:
        """Ask how a run's gate stands, as a generator does."""
        self._api.post(f"/api/runs/{key}/gate/0").raise_for_status()

    def live(self, key: str) -> None:
        """Ask for a run's live audit, as the operator does."""
        self._api.get(f"/api/runs/{key}/audit", params={"live": "true"}).raise_for_status()

    def deposit(self, strategy: str, account: int, count: int) -> None:
        """Make so many deposits, one after the other, as a plain client does."""
        form = {"account": account, "amount": 1, "isolation": "read-committed", "window_milliseconds": 5}
        with httpx.Client(base_url=self.http_url, trust_env=False, timeout=30) as client:
            for number in range(count):
                data = {**form, "operation": f"{account}-{number}-{time.time_ns()}"}
                client.post(f"/bank/deposit/{strategy}/", data=data).raise_for_status()

    def url(self, scenario: str, strategy: str) -> str:
        """Return where operations are posted."""
        return f"{self._addresses.https_url}/bank/{scenario}/{strategy}/"

    def open_run(self, strategy: str, accounts: int) -> tuple[str, list[int]]:
        """Open a run of deposits; return its key and its accounts."""
        key = f"bench-{next(_NUMBERS)}-{int(time.time())}"
        body = {
            "scenario": "deposit",
            "strategy": strategy,
            "isolation": "read-committed",
            "accounts": accounts,
            "opening_cents": 0,
            "generators": 1,
        }
        answer = self._api.put(f"/api/runs/{key}", json=body).raise_for_status()
        return key, answer.json()["accounts"]

    def load(self, strategy: str, key: str, *arguments: str) -> dict[str, Any]:
        """Run racelab-load on a run, from the gate to the uploaded history; return its summary."""
        command = [
            sys.executable, "-m", "racelab_loadgen", "run", "--url", self.url("deposit", strategy),
            "--ca-file", str(self.ca_file), "--auditor", self._addresses.auditor_url, "--run", key, "--json",
            *arguments,
        ]  # fmt: skip
        environment = {"RACELAB_TOKEN": self._addresses.token, "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"racelab-load failed: {done.stderr}")
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    def audit(self, key: str, *, history: bool = True) -> dict[str, Any]:
        """Close a run and return its final audit; `history` False when no racelab-load has uploaded one."""
        if not history:
            self._api.post(f"/api/runs/{key}/histories/0/lost", json={"reason": "another client"}).raise_for_status()
        self._api.post(f"/api/runs/{key}/close").raise_for_status()
        deadline = time.monotonic() + _SETTLED_SECONDS
        while time.monotonic() < deadline:
            report: dict[str, Any] = self._api.get(f"/api/runs/{key}/audit").raise_for_status().json()
            if report["final"]:
                return report
            time.sleep(0.05)
        raise RuntimeError(f"run {key} did not settle in {_SETTLED_SECONDS} s")


@contextmanager
def lab(replicas: int, workers: int) -> Iterator[Bench]:
    """Start a lab of so many replicas and workers each, in a home of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="racelab-bench-") as home,
        LocalLab(Path(home), workers=workers, purpose="make bench") as local,
    ):
        local.start(replicas)
        yield Bench(local)
