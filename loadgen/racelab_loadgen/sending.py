"""The sending half of an HTTP/2 connection: streams, flow control, and writes that leave together."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING

from racelab_loadgen import frames
from racelab_loadgen.frames import ErrorCode, pack_header
from racelab_loadgen.headers import DEFAULT_TABLE_BYTES, EMPTY_TABLE, UNTOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from racelab_loadgen.exchange import Exchange
    from racelab_loadgen.headers import RequestHeaders

UNLIMITED_STREAMS = 2**31


class SendingSide(asyncio.Protocol):
    """Opens streams and sends bodies within the peer's windows."""

    def __init__(self, headers: RequestHeaders) -> None:
        self._request_headers = headers
        # The header block of the next request: the first one differs from those that follow.
        self._post_block: Callable[[int], bytes] = self._first_post_block
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        # While data is being received, what it gives rise to is written once, at its end.
        self._flush_is_due = False
        self._next_stream_id = 1
        self._window_bytes = frames.DEFAULT_WINDOW_BYTES
        self._stream_window_bytes = frames.DEFAULT_WINDOW_BYTES
        self._frame_bytes = frames.DEFAULT_FRAME_BYTES
        # Streams with an unsent rest of the body, oldest first.
        self._unfinished: dict[int, Exchange] = {}
        self.exchanges: dict[int, Exchange] = {}
        self.maximum_streams = UNLIMITED_STREAMS
        self.usable = True

    @property
    def room(self) -> int:
        """How many more exchanges may be sent now."""
        if not self.usable:
            return 0
        return self.maximum_streams - len(self.exchanges)

    def post(self, exchange: Exchange) -> None:
        """Send a whole request; the write leaves at the end of this turn of the event loop."""
        body = exchange.body
        length = len(body)
        block = self._post_block(length)
        stream_id = self._open(exchange)
        size = len(block)
        if length > min(self._window_bytes, self._stream_window_bytes, self._frame_bytes) or size > self._frame_bytes:
            self._post_in_pieces(stream_id, exchange, block)
            return
        if not length:
            flags = frames.END_HEADERS | frames.END_STREAM
            self._out.append(frames.frame(frames.HEADERS, flags, stream_id, block))
            self._flush_soon()
            return
        # Everything fits: two frames, one piece. This is the way nearly every request takes.
        self._window_bytes -= length
        self._out.append(
            pack_header(size >> 8, size & 0xFF, frames.HEADERS, frames.END_HEADERS, stream_id)
            + block
            + pack_header(length >> 8, length & 0xFF, frames.DATA, frames.END_STREAM, stream_id)
            + body
        )
        if not self._flush_is_due:
            self._flush_soon()

    def hold(self, exchange: Exchange) -> None:
        """Send a request without the last byte of its body, or without its end where the body is empty.

        An edge that is told of a length of 0 waits for nothing: Caddy and others pass such a request on at once.
        """
        exchange.held = True
        block = self._post_block(len(exchange.body) or UNTOLD)
        self._post_in_pieces(self._open(exchange), exchange, block)

    def release(self, now_ns: int) -> None:
        """Send the last bytes of all held requests in one write."""
        for stream_id, exchange in list(self._unfinished.items()):
            if exchange.held:
                exchange.held = False
                exchange.begin_ns = now_ns
                self._pump(stream_id, exchange)
        self.flush()

    def get(self, exchange: Exchange) -> None:
        """Send a GET of the origin's root."""
        stream_id = self._open(exchange)
        block = self._request_headers.get
        if self._post_block == self._shrunk_post_block:
            self._post_block = self._request_headers.literal
            block = EMPTY_TABLE + block
        self._out.append(frames.header_frames(stream_id, frames.END_STREAM, block, self._frame_bytes))
        self._flush_soon()

    def flush(self) -> None:
        """Write what has been collected, at once and in one piece."""
        self._flush_is_due = False
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def close(self) -> None:
        """Say goodbye and close."""
        self.usable = False
        if self._transport is not None and not self._transport.is_closing():
            self._out.append(frames.frame(frames.GOAWAY, 0, 0, frames.GOAWAY_FIELDS.pack(0, ErrorCode.NO_ERROR)))
            self.flush()
            self._transport.close()

    def _flush_soon(self) -> None:
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self.flush)

    def _first_post_block(self, length: int) -> bytes:
        self._post_block = self._request_headers.indexed
        return self._request_headers.indexing(length)

    def _shrunk_post_block(self, length: int) -> bytes:
        self._post_block = self._request_headers.literal
        return EMPTY_TABLE + self._request_headers.literal(length)

    def _table_size_set(self, value_bytes: int) -> None:
        """Take SETTINGS_HEADER_TABLE_SIZE: a smaller table is given up, which the next block must say."""
        if value_bytes < DEFAULT_TABLE_BYTES and self._post_block != self._request_headers.literal:
            self._post_block = self._shrunk_post_block

    def _open(self, exchange: Exchange) -> int:
        stream_id = self._next_stream_id
        self._next_stream_id = stream_id + 2
        if stream_id + 2 > frames.MAXIMUM_STREAM_ID:
            self.usable = False
        self.exchanges[stream_id] = exchange
        exchange.begin_ns = perf_counter_ns()
        return stream_id

    def _reset_stream(self, stream_id: int, code: ErrorCode) -> None:
        self._out.append(frames.reset_frame(stream_id, code))
        self._flush_soon()

    def _post_in_pieces(self, stream_id: int, exchange: Exchange, block: bytes) -> None:
        self._out.append(frames.header_frames(stream_id, 0, block, self._frame_bytes))
        exchange.send_window_bytes = self._stream_window_bytes
        exchange.unfinished = True
        self._unfinished[stream_id] = exchange
        self._pump(stream_id, exchange)
        self._flush_soon()

    def _pump(self, stream_id: int, exchange: Exchange) -> None:
        """Send as much of a body as the windows allow: all but its last byte while it is held."""
        body = exchange.body
        limit = max(0, len(body) - 1) if exchange.held else len(body)
        sent = exchange.body_sent
        while sent < limit:
            size = min(limit - sent, self._window_bytes, exchange.send_window_bytes, self._frame_bytes)
            if size <= 0:
                break
            self._window_bytes -= size
            exchange.send_window_bytes -= size
            flags = frames.END_STREAM if sent + size == len(body) else 0
            self._out.append(frames.frame(frames.DATA, flags, stream_id, body[sent : sent + size]))
            sent += size
        exchange.body_sent = sent
        if exchange.held or sent < len(body):
            return
        if not body:
            self._out.append(frames.frame(frames.DATA, frames.END_STREAM, stream_id))
        exchange.unfinished = False
        del self._unfinished[stream_id]

    def _pump_all(self) -> None:
        for stream_id, exchange in list(self._unfinished.items()):
            if self._window_bytes <= 0:
                break
            self._pump(stream_id, exchange)
        self._flush_soon()

    def _window_grows(self, stream_id: int, increment_bytes: int) -> bool:
        """Take a WINDOW_UPDATE; False where the stream's window overflows."""
        if stream_id == 0:
            self._window_bytes += increment_bytes
            if self._window_bytes > frames.MAXIMUM_WINDOW_BYTES:
                raise frames.ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, "the connection's window overflowed")
            if self._unfinished:
                self._pump_all()
            return True
        exchange = self._unfinished.get(stream_id)
        if exchange is None:
            return True
        exchange.send_window_bytes += increment_bytes
        if exchange.send_window_bytes > frames.MAXIMUM_WINDOW_BYTES:
            return False
        self._pump(stream_id, exchange)
        self._flush_soon()
        return True

    def _stream_window_set(self, value_bytes: int) -> None:
        """Take a new SETTINGS_INITIAL_WINDOW_SIZE: it moves the windows of open streams as well."""
        difference = value_bytes - self._stream_window_bytes
        self._stream_window_bytes = value_bytes
        for exchange in self._unfinished.values():
            exchange.send_window_bytes += difference
        self._pump_all()
