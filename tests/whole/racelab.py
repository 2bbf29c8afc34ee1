"""The command `racelab` as a user runs it, in a home of its own, with everything real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx

from lab.programs import descendants, wait_for_end, wait_until
from racelab_operator.platforms.local.state import LabRecord, current_lab

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = """\
apiVersion: racelab.dev/v1alpha1
kind: RaceExperiment
metadata: {{name: {name}}}
spec:
  scenario: {scenario}
  strategies: [{strategies}]
  replicas: [{replicas}]
  windowMilliseconds: [{window}]
  load: {{requests: {requests}, concurrency: 12, accounts: {accounts}, seed: 7}}
"""


def _environment() -> dict[str, str]:
    """Return what a user's shell has: the session's own database is not this lab's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "RACELAB_"))}


def experiment(
    scenario: str,
    strategies: str,
    *,
    name: str = "whole",
    replicas: str = "3",
    window: int = 3,
    requests: int = 60,
    accounts: int = 1,
) -> str:
    """Return the text of an experiment, with twelve requests in flight."""
    return EXPERIMENT.format(
        name=name,
        scenario=scenario,
        strategies=strategies,
        replicas=replicas,
        window=window,
        requests=requests,
        accounts=accounts,
    )


class Home:
    """One home, and the commands run in it. Remembers every process below them, to see that none is left."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = path / "home"
        self.known: set[Any] = set()
        self.started: list[subprocess.Popen[str]] = []

    def experiment(
        self, strategies: str = "atomic_only", replicas: str = "3", window: int = 3, requests: int = 60
    ) -> str:
        """Write a file with one experiment on deposits and return its path."""
        return self.file(experiment("deposit", strategies, replicas=replicas, window=window, requests=requests))

    def file(self, *experiments: str) -> str:
        """Write a file with these experiments and return its path."""
        file = self.path / "experiment.yaml"
        file.write_text("---\n".join(experiments), encoding="utf-8")
        return str(file)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `racelab` with these arguments."""
        process = subprocess.Popen(
            [sys.executable, "-m", "racelab_operator", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**_environment(), "RACELAB_HOME": str(self.directory)},
            cwd=self.path,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed has left running."""
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=20)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run `racelab` to its end; return exit code, stdout, stderr."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err

    def lab(self, process: subprocess.Popen[str]) -> LabRecord:
        """Wait until the lab that `process` owns is up, remember all its processes, return its record."""

        def up() -> bool:
            assert process.poll() is None, process.communicate()
            record = current_lab(self.directory)
            return record is not None and record.addresses is not None

        wait_until(up, 40)
        record = current_lab(self.directory)
        assert record is not None
        self.known |= descendants(process.pid)
        return record

    def loaded(self, process: subprocess.Popen[str], entries: int = 10) -> LabRecord:
        """Wait until a step is in mid-load: so many entries are in its ledger."""
        record = self.lab(process)
        assert record.addresses is not None
        token = {"Authorization": f"Bearer {record.addresses.token}"}
        with httpx.Client(base_url=record.addresses.auditor_url, headers=token, trust_env=False) as api:

            def going() -> bool:
                assert process.poll() is None, process.communicate()
                keys = [run["key"] for run in api.get("/api/runs").json() if run["key"] != "playground"]
                return bool(keys) and api.get(f"/api/runs/{keys[0]}/audit").json()["entries"] >= entries

            wait_until(going, 40)
        self.known |= descendants(process.pid)
        return record

    def assert_nothing_is_left(self, record: LabRecord) -> None:
        """Neither a process, nor a socket, nor a state file."""
        assert not wait_for_end(self.known)
        wait_until(lambda: not record.socket_directory.exists(), 5)
        assert current_lab(self.directory) is None

    @staticmethod
    def report(text: str) -> Any:
        """Parse a JSON report."""
        return json.loads(text)
