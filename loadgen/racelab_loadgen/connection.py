"""An HTTP/2 client connection as an asyncio protocol (RFC 9113): its beginning, its data, its end.

Callbacks, not tasks or futures, carry an exchange: one turn of the event loop reads many answers, and the requests they
give rise to leave in one write.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from racelab_loadgen import frames
from racelab_loadgen.frames import ProtocolError
from racelab_loadgen.receiving import CONNECTION_WINDOW_BYTES, OUR_SETTINGS, ReceivingSide

if TYPE_CHECKING:
    import asyncio

    from racelab_loadgen.exchange import Owner
    from racelab_loadgen.headers import RequestHeaders


class Connection(ReceivingSide):
    """One connection. `owner` is told what becomes of its exchanges; it may be changed between them."""

    def __init__(self, headers: RequestHeaders, owner: Owner) -> None:
        super().__init__(headers, owner)
        self.closed: asyncio.Future[None] = self._loop.create_future()
        # The beginning of a frame whose rest has not come yet.
        self._tail = b""
        self._ping_count = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the preface, our settings, and a window for the whole connection that never runs dry."""
        self._transport = transport  # type: ignore[assignment]  # asyncio types it as its base class
        window = frames.window_update_frame(0, CONNECTION_WINDOW_BYTES - frames.DEFAULT_WINDOW_BYTES)
        self._out += [frames.PREFACE, frames.settings_frame(OUR_SETTINGS), window]
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take every whole frame, then write what they gave rise to."""
        if self._fault is not None:
            return
        self._received_ns = perf_counter_ns()
        self._flush_is_due = True
        if self._tail:
            data = self._tail + data
        try:
            self._tail = data[self._take_frames(data) :]
        except ProtocolError as fault:
            self._end(fault)
        else:
            self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is left."""
        if not self.closed.done():
            self.closed.set_result(None)
        self._lose(self._fault or f"the connection was lost: {exc or 'the peer closed it'}")

    def _end(self, fault: ProtocolError) -> None:
        self._out.append(frames.frame(frames.GOAWAY, 0, 0, frames.GOAWAY_FIELDS.pack(0, fault.code)))
        self.flush()
        self._lose(f"the peer broke HTTP/2: {fault}")
        if self._transport is not None:
            self._transport.close()

    def _lose(self, reason: str) -> None:
        """End all exchanges: nobody knows whether the peer processed them."""
        self.usable = False
        self._fault = reason
        if not self.settings_received.done():
            self.settings_received.set_exception(ConnectionError(reason))
            # Nobody may be waiting any more.
            self.settings_received.exception()
        for ping in self._pings.values():
            if not ping.done():
                ping.set_exception(ConnectionError(reason))
                ping.exception()
        self._pings.clear()
        self._unfinished.clear()
        self._received_ns = perf_counter_ns()
        exchanges = list(self.exchanges.values())
        self.exchanges.clear()
        for exchange in exchanges:
            self._broken(exchange, reason)
        self.owner.room_changed(self)

    # What owners use beside `post`, `hold`, `release`, `get`, `flush`, `cancel` and `close`

    def ping(self) -> asyncio.Future[None]:
        """Send a PING; the future is done when its acknowledgement is here, or fails with ConnectionError."""
        acknowledged = self._loop.create_future()
        if self._fault is not None:
            acknowledged.set_exception(ConnectionError(self._fault))
            return acknowledged
        self._ping_count += 1
        payload = self._ping_count.to_bytes(8, "big")
        self._pings[payload] = acknowledged
        self._out.append(frames.frame(frames.PING, 0, 0, payload))
        self._flush_soon()
        return acknowledged

    def cancel_begun_before(self, limit_ns: int, reason: str) -> None:
        """Give up every exchange that began before a `perf_counter_ns` value."""
        for stream_id in [key for key, exchange in self.exchanges.items() if exchange.begin_ns < limit_ns]:
            # An owner told about one exchange may have ended another.
            if stream_id in self.exchanges:
                self.cancel(stream_id, reason)

    def abort(self) -> None:
        """Drop the connection without waiting for the peer."""
        if self._transport is not None:
            self._transport.abort()

    def extra_info(self, name: str) -> Any:
        """Ask the transport for what it knows, such as its `ssl_object`."""
        return self._transport.get_extra_info(name) if self._transport is not None else None
