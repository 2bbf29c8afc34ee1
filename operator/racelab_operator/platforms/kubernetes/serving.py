"""What the operator serves: /healthz for the kubelet, /metrics for Prometheus."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import generate_latest

from racelab_operator.errors import RacelabError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_operator.platforms.kubernetes.health import Health


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5  # a client that sends nothing must not keep a thread

    def do_GET(self) -> None:
        if self.path == "/healthz":
            problem = self.server.health.problem()
            self._answer(503 if problem else 200, f"{problem or 'ok'}\n".encode())
        elif self.path == "/metrics":
            self._answer(200, generate_latest())
        else:
            self._answer(404, b"/healthz and /metrics are here\n")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the signature is the library's
        """Probes come every few seconds: not worth a line."""


@contextlib.contextmanager
def serving(bind: str, health: Health) -> Iterator[int]:
    """Serve in a thread at HOST:PORT, and give the port.

    Raises:
        WrongUseError: no such address can be.
        RacelabError: it is taken.

    """
    host, _, port = bind.rpartition(":")
    try:
        server = _Server((host.strip("[]"), int(port)), _Handler)
    except (ValueError, OverflowError):
        raise WrongUseError(f"--bind: given {bind!r}, allowed HOST:PORT") from None
    except OSError as error:
        raise RacelabError(f"--bind: cannot listen on {bind}: {error.strerror}") from None
    server.health = health
    threading.Thread(target=server.serve_forever, name="racelab-serving", daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
