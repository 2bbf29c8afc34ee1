"""The receiving half of an HTTP/2 connection: every frame of the peer, and what it means for the exchanges."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from racelab_loadgen import frames
from racelab_loadgen.frames import ErrorCode, ProtocolError, unpack_header
from racelab_loadgen.headers import MAXIMUM_BLOCK_BYTES, ResponseHeaders
from racelab_loadgen.sending import SendingSide

if TYPE_CHECKING:
    import asyncio

    from racelab_loadgen.exchange import Exchange, Owner
    from racelab_loadgen.headers import RequestHeaders

STREAM_WINDOW_BYTES = 2**24
CONNECTION_WINDOW_BYTES = 2**30
# An answer is kept up to here; what follows is counted and dropped.
KEPT_ANSWER_BYTES = 65_536

OUR_SETTINGS = {
    # Without a dynamic table, equal header blocks mean equal headers: see ResponseHeaders.
    frames.SETTINGS_HEADER_TABLE_SIZE: 0,
    frames.SETTINGS_ENABLE_PUSH: 0,
    frames.SETTINGS_INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
}


class ReceivingSide(SendingSide):
    """Takes frames, completes the answers of the exchanges and tells `owner`, which may be changed between them."""

    def __init__(self, headers: RequestHeaders, owner: Owner) -> None:
        super().__init__(headers)
        self.owner = owner
        self.settings_received: asyncio.Future[None] = self._loop.create_future()
        self._headers = ResponseHeaders()
        # The end of what ends now: when the data came that is being taken.
        self._received_ns = 0
        self._unacknowledged_bytes = 0
        # A header block that goes on in CONTINUATION frames: its stream, the flags of its HEADERS frame, what came.
        self._open_block: tuple[int, int, bytearray] | None = None
        # By payload: what has not been acknowledged yet.
        self._pings: dict[bytes, asyncio.Future[None]] = {}
        # Why the connection is at its end; no further frame is taken then.
        self._fault: str | None = None
        self._receivers = (
            self._on_data,
            self._on_headers,
            self._ignore,
            self._on_reset,
            self._on_settings,
            self._on_push_promise,
            self._on_ping,
            self._on_goaway,
            self._on_window_update,
            self._on_continuation,
        )

    # Frames

    def _take_frames(self, data: bytes) -> int:
        """Take whole frames; returns how many bytes they were."""
        position, end = 0, len(data)
        receivers = self._receivers
        while end - position >= frames.FRAME_HEADER_BYTES:
            high, low, kind, flags, stream_id = unpack_header(data, position)
            start = position + frames.FRAME_HEADER_BYTES
            following = start + (high << 8 | low)
            if not self.settings_received.done() and kind != frames.SETTINGS:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, _not_http2(data))
            if following - start > frames.DEFAULT_FRAME_BYTES:
                raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {following - start} bytes")
            if following > end:
                break
            if self._open_block is not None and kind != frames.CONTINUATION:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted by another frame")
            if kind <= frames.CONTINUATION:
                receivers[kind](flags, stream_id & frames.MAXIMUM_STREAM_ID, data[start:following])
            position = following
            if self._fault is not None:
                break
        return position

    def _ignore(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        """PRIORITY says nothing to a client."""

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & (frames.PADDED | frames.PRIORITISED):
            payload = frames.unpad(flags, payload)
        if flags & frames.END_HEADERS:
            self._on_header_block(flags, stream_id, payload)
        else:
            self._open_block = (stream_id, flags, bytearray(payload))

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._open_block is None or self._open_block[0] != stream_id:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION frame that continues nothing")
        _, first_flags, block = self._open_block
        block += payload
        if len(block) > MAXIMUM_BLOCK_BYTES:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, f"a header block over {MAXIMUM_BLOCK_BYTES} bytes")
        if flags & frames.END_HEADERS:
            self._open_block = None
            self._on_header_block(first_flags, stream_id, bytes(block))

    def _on_header_block(self, flags: int, stream_id: int, block: bytes) -> None:
        # Decoded even for streams given up: a dynamic table must see every block.
        status, replica = self._headers.read(block)
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            self._check_known(stream_id)
            return
        # A status under 200 is an interim answer; a block behind the final one holds trailers.
        if status >= 200 and exchange.status == 0:
            exchange.status = status
            exchange.replica = replica
        if flags & frames.END_STREAM:
            self._finish(stream_id, exchange)

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        length = len(payload)
        self._unacknowledged_bytes += length
        if self._unacknowledged_bytes > CONNECTION_WINDOW_BYTES // 2:
            self._out.append(frames.window_update_frame(0, self._unacknowledged_bytes))
            self._unacknowledged_bytes = 0
        exchange = self.exchanges.get(stream_id)
        if exchange is None:
            self._check_known(stream_id)
            return
        if flags & frames.PADDED:
            payload = frames.unpad(flags & frames.PADDED, payload)
        answer = exchange.answer
        if not answer:
            exchange.answer = payload
        elif len(answer) < KEPT_ANSWER_BYTES:
            exchange.answer = answer + payload
        if flags & frames.END_STREAM:
            self._finish(stream_id, exchange)
            return
        exchange.received_bytes += length
        if exchange.received_bytes > STREAM_WINDOW_BYTES // 2:
            self._out.append(frames.window_update_frame(stream_id, exchange.received_bytes))
            exchange.received_bytes = 0

    def _on_reset(self, _flags: int, stream_id: int, payload: bytes) -> None:
        (code,) = frames.UNSIGNED_32.unpack(_exactly(4, payload))
        self._check_known(stream_id)
        exchange = self.exchanges.pop(stream_id, None)
        if exchange is None:
            return
        self._unfinished.pop(stream_id, None)
        if code == ErrorCode.REFUSED_STREAM:
            self.owner.unprocessed(self, exchange, "the peer refused the stream")
        else:
            self._broken(exchange, f"the peer reset the stream: {frames.error_name(code)}")

    def _on_settings(self, flags: int, _stream_id: int, payload: bytes) -> None:
        if flags & frames.ACK:
            return
        if len(payload) % frames.SETTING.size:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes")
        # Ahead of anything that the new settings permit: for the peer they hold from the acknowledgement on.
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        for key, value in frames.SETTING.iter_unpack(payload):
            self._set(key, value)
        if not self.settings_received.done():
            self.settings_received.set_result(None)
        self.owner.room_changed(self)

    def _set(self, key: int, value: int) -> None:
        if key == frames.SETTINGS_MAX_CONCURRENT_STREAMS:
            self.maximum_streams = value
        elif key == frames.SETTINGS_INITIAL_WINDOW_SIZE:
            if value > frames.MAXIMUM_WINDOW_BYTES:
                raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, f"an initial window of {value} bytes")
            self._stream_window_set(value)
        elif key == frames.SETTINGS_MAX_FRAME_SIZE:
            if not frames.DEFAULT_FRAME_BYTES <= value <= frames.MAXIMUM_FRAME_BYTES:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"a maximum frame size of {value} bytes")
            self._frame_bytes = value
        elif key == frames.SETTINGS_HEADER_TABLE_SIZE:
            self._table_size_set(value)

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a push, which our settings forbid")

    def _on_ping(self, flags: int, _stream_id: int, payload: bytes) -> None:
        _exactly(8, payload)
        if not flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
            return
        acknowledged = self._pings.pop(payload, None)
        if acknowledged is not None and not acknowledged.done():
            acknowledged.set_result(None)

    def _on_goaway(self, _flags: int, _stream_id: int, payload: bytes) -> None:
        if len(payload) < frames.GOAWAY_FIELDS.size:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a GOAWAY of {len(payload)} bytes")
        last, code = frames.GOAWAY_FIELDS.unpack_from(payload)
        last &= frames.MAXIMUM_STREAM_ID
        self.usable = False
        reason = f"the peer is going away: {frames.error_name(code)}"
        # Streams above the last one were not processed; the others will still be answered.
        for key in [key for key in self.exchanges if key > last]:
            exchange = self.exchanges.pop(key)
            self._unfinished.pop(key, None)
            self.owner.unprocessed(self, exchange, reason)
        self.owner.room_changed(self)
        self._close_if_drained()

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        (increment,) = frames.UNSIGNED_32.unpack(_exactly(4, payload))
        increment &= frames.MAXIMUM_WINDOW_BYTES
        if increment == 0 and stream_id == 0:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")
        if increment and self._window_grows(stream_id, increment):
            return
        if stream_id in self.exchanges:
            self.cancel(stream_id, "the peer's WINDOW_UPDATE is 0 or too large")

    # Ends

    def cancel(self, stream_id: int, reason: str) -> None:
        """Give an exchange up: the stream is reset and its owner is told that it is broken."""
        exchange = self.exchanges.pop(stream_id)
        self._unfinished.pop(stream_id, None)
        self._reset_stream(stream_id, ErrorCode.CANCEL)
        self._received_ns = perf_counter_ns()
        self._broken(exchange, reason)

    def _finish(self, stream_id: int, exchange: Exchange) -> None:
        del self.exchanges[stream_id]
        if exchange.unfinished:
            # Answered before the request was whole: nobody reads the rest.
            del self._unfinished[stream_id]
            self._reset_stream(stream_id, ErrorCode.CANCEL)
        exchange.end_ns = self._received_ns
        if exchange.status:
            self.owner.answered(self, exchange)
        else:
            self.owner.broken(self, exchange, "the peer ended the stream without a status")
        if not self.usable:
            self._close_if_drained()

    def _broken(self, exchange: Exchange, reason: str) -> None:
        exchange.end_ns = self._received_ns
        self.owner.broken(self, exchange, reason)

    def _close_if_drained(self) -> None:
        if not self.exchanges:
            self._loop.call_soon(self.close)

    def _check_known(self, stream_id: int) -> None:
        if stream_id % 2 == 0 or stream_id >= self._next_stream_id:
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"a frame on stream {stream_id}, which was never opened")


def _exactly(size: int, payload: bytes) -> bytes:
    if len(payload) != size:
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a payload of {len(payload)} bytes instead of {size}")
    return payload


def _not_http2(data: bytes) -> str:
    if data.startswith(b"HTTP/1"):
        return "it answered in HTTP/1.1"
    return "its first frame is not SETTINGS"
