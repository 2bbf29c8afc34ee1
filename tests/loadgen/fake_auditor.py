"""A small real HTTP server that plays the auditor: one run, its gate, its histories."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

TOKEN = "test-token"


@dataclass
class FakeAuditor:
    """The auditor, in threads of its own, until the `with` block ends.

    `clock_ahead_microseconds` is how much its clock is ahead. `broken_uploads` uploads end in a closed connection.
    """

    accounts: list[int] = field(default_factory=lambda: [17, 18])
    targets: int | None = 2
    generators: int = 1
    clock_ahead_microseconds: int = 0
    broken_uploads: int = 0
    upload_status: int = 200
    gate_state: str = "open"
    gate_status: int = 200
    registered: set[str] = field(default_factory=set)
    start_at: int | None = None
    histories: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str | None] = field(default_factory=set)

    def __enter__(self) -> Self:
        handler = type("BoundHandler", (Handler,), {"auditor": self})
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def now(self) -> int:
        """Its clock, in microseconds."""
        return time.time_ns() // 1000 + self.clock_ahead_microseconds

    def gate(self, generator: str, received: int) -> dict[str, Any]:
        """Register a generator; open the gate when all are there."""
        with self._lock:
            self.registered.add(generator)
            if self.gate_state == "open" and len(self.registered) == self.generators and self.start_at is None:
                self.start_at = self.now() + 250_000
            state = self.gate_state if self.gate_state != "open" or self.start_at else "waiting"
        reason = "generator 1 did not register in 60 s" if state == "failed" else None
        return {
            "state": state,
            "reason": reason,
            "start_at_microseconds": self.start_at,
            "received_at_microseconds": received,
            "sent_at_microseconds": self.now(),
        }


class Handler(BaseHTTPRequestHandler):
    """Three of the auditor's calls."""

    protocol_version = "HTTP/1.1"
    auditor: ClassVar[FakeAuditor]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it that
        """Say nothing."""

    def _answer(self, status: int, fields: dict[str, Any]) -> None:
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.auditor.tokens.add(self.headers["Authorization"])
        if self.path == "/api/runs/run-1":
            self._answer(200, {"key": "run-1", "accounts": self.auditor.accounts, "targets": self.auditor.targets})
        else:
            self._answer(404, {"detail": "no such run"})

    def do_POST(self) -> None:
        received = self.auditor.now()
        if self.auditor.gate_status != 200:
            self._answer(self.auditor.gate_status, {"detail": "the gate was opened without you"})
            return
        self._answer(200, self.auditor.gate(self.path.rsplit("/", 1)[1], received))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.auditor.broken_uploads:
            self.auditor.broken_uploads -= 1
            self.close_connection = True
            return
        if self.auditor.upload_status != 200:
            self._answer(self.auditor.upload_status, {"detail": "line 3 is wrong"})
            return
        self.auditor.histories[self.path.rsplit("/", 1)[1]] = body
        self._answer(200, {"operations": body.count(b"\n") - 1})
