"""A TLS server on a real socket that answers HTTP/2 as a script says and records every TLS record it gets.

The handshake and the records are handled one by one through a memory BIO: a test can tell what arrived together.
HTTP/2 is h2's: it checks strictly that the client keeps to the protocol. Scripts may write raw frames past it.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings

if TYPE_CHECKING:
    from pathlib import Path

APPLIED = b'{"outcome": "applied", "entry": "e-1", "balance_before_cents": 1, "balance_after_cents": 2}'


@dataclass
class Request:
    """A request, as far as it has come."""

    stream_id: int
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The last field of each name."""
        return dict(self.fields)

    @property
    def warms_up(self) -> bool:
        """Whether it only warms the connection up."""
        return self.headers[b":method"] == b"GET" and self.headers[b":path"] == b"/"


class Script:
    """What a server does. The default answers every request with 200."""

    settings: tuple[tuple[int, int], ...] = ()
    alpn = "h2"

    def connected(self, connection: ServerConnection) -> None:
        """A handshake is done and the settings are sent."""

    def headers(self, connection: ServerConnection, request: Request) -> None:
        """The header block of a request is here; those of the warm-up do not count."""

    def whole(self, connection: ServerConnection, request: Request) -> None:
        """A whole request is here."""
        connection.answer(request)


@dataclass
class Record:
    """The plaintext of one TLS record of application data."""

    connection: int
    plaintext: bytes


class ServerConnection(asyncio.Protocol):
    """One connection of the scripted server."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.number = len(server.connections)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = server.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._raw = b""
        self._shaken = False
        self.requests: dict[int, Request] = {}
        self.posts = 0
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.resets: list[tuple[int, int]] = []
        self.given_up: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.server.connections.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.closed += 1

    def data_received(self, data: bytes) -> None:
        self._raw += data
        while len(self._raw) >= 5:
            size = 5 + int.from_bytes(self._raw[3:5], "big")
            if len(self._raw) < size:
                return
            self._incoming.write(self._raw[:size])
            self._raw = self._raw[size:]
            self._record()

    def _record(self) -> None:
        if not self._shaken:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_tls()
                return
            except ssl.SSLError:
                # A client that does not trust the certificate says so with an alert.
                self.transport.close()
                return
            self._shaken = True
            self._send_tls()
            for key, value in self.server.script.settings:
                self.h2.local_settings[h2.settings.SettingCodes(key)] = value
            self.h2.local_settings.acknowledge()
            self.h2.initiate_connection()
            self.flush()
            self.server.script.connected(self)
        plaintext = b""
        try:
            while piece := self._tls.read(65536):
                plaintext += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.transport.close()
        if plaintext:
            self.server.records.append(Record(self.number, plaintext))
            self._take(plaintext)

    def _take(self, plaintext: bytes) -> None:
        for event in self.h2.receive_data(plaintext):
            if getattr(event, "stream_id", None) in self.given_up:
                continue
            if isinstance(event, h2.events.RequestReceived):
                request = Request(event.stream_id, event.headers)
                self.requests[event.stream_id] = request
                if not request.warms_up:
                    self.posts += 1
                    self.server.script.headers(self, request)
            elif isinstance(event, h2.events.DataReceived):
                self.requests[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                request = self.requests[event.stream_id]
                if request.warms_up:
                    self.answer(request, body=b"warm")
                else:
                    self.server.bodies.append(request.body)
                    self.server.script.whole(self, request)
            elif isinstance(event, h2.events.StreamReset):
                self.resets.append((event.stream_id, event.error_code))
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.transport.close()
        self.flush()

    def answer(
        self,
        request: Request,
        status: int = 200,
        body: bytes = APPLIED,
        headers: tuple[tuple[str, str], ...] = (("racelab-replica", "bank-1"),),
    ) -> None:
        """Answer a request."""
        self.h2.send_headers(request.stream_id, [(":status", str(status)), *headers])
        self.h2.send_data(request.stream_id, body, end_stream=True)
        self.flush()

    def reset(self, request: Request, code: int) -> None:
        """Reset a stream; what still comes for it is passed over."""
        self.given_up.add(request.stream_id)
        self.h2.reset_stream(request.stream_id, code)

    def raw(self, data: bytes) -> None:
        """Write bytes past h2."""
        self.flush()
        self._tls.write(data)
        self._send_tls()

    def flush(self) -> None:
        """Write what h2 has to say."""
        if data := self.h2.data_to_send():
            self._tls.write(data)
        self._send_tls()

    def _send_tls(self) -> None:
        if data := self._outgoing.read():
            self.transport.write(data)


@dataclass
class ScriptedServer:
    """The server, in a thread of its own, until the `with` block ends."""

    script: Script
    certificate: Path
    key: Path
    connections: list[ServerConnection] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    closed: int = 0

    def __enter__(self) -> Self:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, self.key)
        self.context.set_alpn_protocols([self.script.alpn])
        self._loop = asyncio.new_event_loop()
        starting = self._loop.create_server(lambda: ServerConnection(self), "127.0.0.1", 0)
        self._listener = self._loop.run_until_complete(starting)
        self.port: int = self._listener.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listener.close()
        for connection in self.connections:
            connection.transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    @property
    def url(self) -> str:
        """Where to send."""
        return f"https://localhost:{self.port}/bank/deposit/atomic_only/"

    @property
    def keys(self) -> list[str]:
        """The operation keys of all whole requests, in the order of arrival."""
        return [body.rsplit(b"operation=", 1)[1].decode() for body in self.bodies]
