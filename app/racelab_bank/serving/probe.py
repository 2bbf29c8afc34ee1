"""Readiness and metrics of a bank replica, from a process of its own.

Behind 20 one-second requests a sync worker's own probe answers after 20 seconds, and a kubelet would end the Pod in
mid-load. So the arbiter forks this one before its workers; it ends when the arbiter is gone.
"""

import os
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final

import click

from racelab_bank.serving import schema

# Consumed by the bank dashboard's panel of workers: one that is missing is one request less at a time.
WORKERS: Final = ("racelab_bank_worker_processes", "Workers that take requests.")

# A worker that makes its file, or whose file goes with it, is met in the middle now and then: the library does not
# expect a file without content.
_READS: Final = 20
_READ_AGAIN_SECONDS: Final = 0.01

# How often the process looks whether its parent is still there.
_PARENT_POLL_SECONDS = 0.2


class Probe:
    """Answers /readyz and /metrics at `bind` (HOST:PORT) once `start`ed.

    `directory` holds the workers' metrics and one file `worker-PID` per worker that has booted; `workers` of these
    make the replica ready. Raises `click.ClickException` when the address cannot be bound.
    """

    def __init__(self, bind: str, directory: Path, workers: int) -> None:
        self._directory = directory
        self._workers = workers
        self._pid: int | None = None
        host, _, port = bind.rpartition(":")
        try:
            self._server = _ProbeServer((host.strip("[]"), int(port)), _Handler)
        except ValueError as error:
            raise click.UsageError(f"--metrics-bind: given {bind!r}, allowed HOST:PORT") from error
        except OSError as error:
            raise click.ClickException(f"--metrics-bind: cannot listen on {bind}: {error.strerror}") from error
        self._server.probe = self

    def start(self) -> None:
        """Fork the process that answers. Call it while this process has one thread."""
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._pid = pid
            self._server.socket.close()
            return
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to the arbiter, which ends us
            self._server.parent = parent
            self._server.serve_forever(poll_interval=_PARENT_POLL_SECONDS)
        finally:
            os._exit(0)

    def stop(self) -> None:
        """End the process and free the address."""
        self._server.socket.close()
        if self._pid is None:
            return
        try:
            os.kill(self._pid, signal.SIGTERM)
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # the arbiter has reaped it

    def booted(self, pid: int) -> None:
        """Note that worker `pid` takes requests."""
        self._marker(pid).touch()

    def gone(self, pid: int) -> None:
        """Note that worker `pid` has ended, and drop its gauges."""
        from prometheus_client import multiprocess  # noqa: PLC0415 - reads the environment when imported

        self._marker(pid).unlink(missing_ok=True)
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def _marker(self, pid: int) -> Path:
        return self._directory / f"worker-{pid}"

    def not_ready(self) -> str | None:
        """Return why the replica is not ready, in a sentence, or None."""
        from django.conf import settings  # noqa: PLC0415 - reads the environment

        booted = self._booted()
        if booted < self._workers:
            return f"{booted} of {self._workers} workers have started"
        return schema.missing(settings.DATABASE_URL)

    def metrics(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - reads the environment
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._directory))  # type: ignore[no-untyped-call]
        workers = GaugeMetricFamily(*WORKERS, value=self._booted())
        registry.register(_One(workers))
        for _ in range(_READS - 1):
            with suppress(struct.error, OSError):
                return generate_latest(registry)
            time.sleep(_READ_AGAIN_SECONDS)
        return generate_latest(registry)

    def _booted(self) -> int:
        return len(list(self._directory.glob("worker-*")))


class _One:
    """A collector of one family. The library's own gauge would also write itself to the workers' files."""

    def __init__(self, family: Any) -> None:
        self._family = family

    def collect(self) -> Iterator[Any]:
        """Give it."""
        yield self._family


class _ProbeServer(HTTPServer):
    probe: Probe
    parent: int

    def service_actions(self) -> None:
        """End with the arbiter, however it ended."""
        if os.getppid() != self.parent:
            os._exit(0)


class _Handler(BaseHTTPRequestHandler):
    server: _ProbeServer
    timeout = 5  # a client that sends nothing must not hold the others

    def do_GET(self) -> None:
        if self.path == "/readyz":
            problem = self.server.probe.not_ready()
            self._answer(503 if problem else 200, f"{problem or 'ready'}\n".encode())
        elif self.path == "/metrics":
            self._answer(200, self.server.probe.metrics())
        else:
            self._answer(404, b"/readyz and /metrics are here\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the library's
        """Probes come every second: not worth a line."""
