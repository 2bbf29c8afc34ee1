"""Other clients that send the same POST, 32 in flight: what racelab-load is compared with.

    python reference_clients.py httpx|h2|jh2 HTTPS-URL CA-FILE REQUESTS

`httpx` is the library as everyone uses it. `h2` and `jh2` are an asyncio protocol of our own over their state machine:
what racelab-load would cost if it left frames to them. They record nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
import sys
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvloop

BODY = b"account=1&amount=100&operation=%d"
IN_FLIGHT = 32


async def with_httpx(url: str, tls: ssl.SSLContext, requests: int) -> None:
    """Send with httpx, from 32 tasks."""
    numbers = iter(range(requests))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    async with httpx.AsyncClient(http2=True, http1=False, verify=tls, trust_env=False) as client:

        async def worker() -> None:
            for number in numbers:
                (await client.post(url, content=BODY % number, headers=headers)).raise_for_status()

        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


class StateMachineClient(asyncio.Protocol):
    """32 in flight over the state machine of h2 or jh2."""

    def __init__(self, library: str, url: str, requests: int) -> None:
        self._events = importlib.import_module(f"{library}.events")
        config = importlib.import_module(f"{library}.config")
        connection = importlib.import_module(f"{library}.connection")
        self._h2: Any = connection.H2Connection(config.H2Configuration(client_side=True, header_encoding=None))
        parts = urlsplit(url)
        self._headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", parts.netloc),
            (":path", parts.path),
            ("content-type", "application/x-www-form-urlencoded"),
        ]
        self._numbers = iter(range(requests))
        self._open = 0
        self._started = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the preface."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # asyncio types it as its base
        self._h2.initiate_connection()
        self._transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Answer every answer with the next request."""
        events = self._events
        for event in self._h2.receive_data(data):
            if isinstance(event, events.RemoteSettingsChanged) and not self._started:
                self._started = True
                for _ in range(IN_FLIGHT):
                    self._send()
            elif isinstance(event, events.DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, events.StreamEnded):
                self._open -= 1
                self._send()
        if outgoing := self._h2.data_to_send():
            self._transport.write(outgoing)
        if self._started and not self._open and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail when it comes too early."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def close(self) -> None:
        """Close."""
        self._transport.close()

    def _send(self) -> None:
        number = next(self._numbers, None)
        if number is None:
            return
        body = BODY % number
        stream_id = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream_id, [*self._headers, ("content-length", str(len(body)))])
        self._h2.send_data(stream_id, body, end_stream=True)
        self._open += 1


async def with_state_machine(library: str, url: str, tls: ssl.SSLContext, requests: int) -> None:
    """Send with h2 or jh2."""
    tls.set_alpn_protocols(["h2"])
    client = StateMachineClient(library, url, requests)
    parts = urlsplit(url)
    await asyncio.get_running_loop().create_connection(lambda: client, parts.hostname or "", parts.port or 443, ssl=tls)
    await client.done
    client.close()


def main(name: str, url: str, ca_file: str, requests: str) -> None:
    """Run one client to its end."""
    tls = ssl.create_default_context(cafile=ca_file)
    number = int(requests)
    work = with_httpx(url, tls, number) if name == "httpx" else with_state_machine(name, url, tls, number)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
