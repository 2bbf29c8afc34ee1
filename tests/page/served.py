"""An auditor as it is served, on a database of its own: asked, ended and started again."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from typing import Any

import httpx

from lab.programs import wait_until
from page.conftest import TOKEN
from racelab_operator.platforms.local.ports import free_port

BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Auditor:
    """One auditor at one address, whatever becomes of its process."""

    def __init__(self, database_url: str, threads: int = 4) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RACELAB_")},
            "DATABASE_URL": database_url,
            "RACELAB_TOKEN": TOKEN,
        }
        self._threads = threads
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "racelab_bank", "audit", "--bind", f"127.0.0.1:{self.port}",
             "--threads", str(self._threads)],
            env=self._environment,
            start_new_session=True,
        )  # fmt: skip
        wait_until(self._ready, 40)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, by: signal.Signals) -> int:
        """End it, its worker too where that is not told, and wait for that."""
        assert self.process is not None
        if by == signal.SIGKILL:
            os.killpg(self.process.pid, by)
        else:
            self.process.send_signal(by)
        return self.process.wait(20)

    def stop(self) -> None:
        """Leave nothing."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask the control API."""
        return httpx.request(method, f"{self.url}/api/{path}", headers=BEARER, trust_env=False, timeout=20, **more)

    def stream(self, path: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Open an event stream; the caller reads and closes it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        return connection, connection.getresponse()


def opened(auditor: Auditor, key: str, **more: Any) -> dict[str, Any]:
    """Open a run for one generator on one account."""
    body = {"scenario": "deposit", "strategy": "atomic_only", "isolation": "read-committed", "accounts": 1,
            "opening_cents": 1_000, "minimum_cents": 0, "generators": 1, **more}  # fmt: skip
    answer = auditor.ask("PUT", f"runs/{key}", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
