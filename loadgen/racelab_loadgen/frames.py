"""HTTP/2 frames on the wire (RFC 9113, sections 4 and 6): the numbers, and how a frame is written.

Frames are written and read here, and not by h2 or jh2, because releasing requests cheaply and together is what the lab
exists for: measured against the same edge, this takes less than half of jh2's processor time per request
(`python -m tests.bench.client_cpu` measures it again). HPACK is jh2's.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

SETTINGS_HEADER_TABLE_SIZE = 1
SETTINGS_ENABLE_PUSH = 2
SETTINGS_MAX_CONCURRENT_STREAMS = 3
SETTINGS_INITIAL_WINDOW_SIZE = 4
SETTINGS_MAX_FRAME_SIZE = 5

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW_BYTES = 65_535
DEFAULT_FRAME_BYTES = 16_384
MAXIMUM_FRAME_BYTES = 2**24 - 1
MAXIMUM_WINDOW_BYTES = 2**31 - 1
MAXIMUM_STREAM_ID = 2**31 - 1
FRAME_HEADER_BYTES = 9

# Upper 16 and lower 8 bits of the length, type, flags, stream.
FRAME_HEADER = Struct(">HBBBI")
SETTING = Struct(">HI")
UNSIGNED_32 = Struct(">I")
GOAWAY_FIELDS = Struct(">II")

pack_header = FRAME_HEADER.pack
unpack_header = FRAME_HEADER.unpack_from


class ErrorCode(IntEnum):
    """The error codes of RFC 9113, section 7."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ProtocolError(Exception):
    """The peer broke the protocol; the connection ends with a GOAWAY of this code."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def error_name(code: int) -> str:
    """Name an error code, also one that RFC 9113 does not know."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code {code}"


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Write one frame."""
    length = len(payload)
    return pack_header(length >> 8, length & 0xFF, kind, flags, stream_id) + payload


def settings_frame(values: dict[int, int]) -> bytes:
    """Write a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(key, value) for key, value in values.items()))


def window_update_frame(stream_id: int, increment_bytes: int) -> bytes:
    """Write a WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, UNSIGNED_32.pack(increment_bytes))


def reset_frame(stream_id: int, code: ErrorCode) -> bytes:
    """Write a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, UNSIGNED_32.pack(code))


def header_frames(stream_id: int, flags: int, block: bytes, frame_bytes: int) -> bytes:
    """Write a header block as one HEADERS frame, with CONTINUATION frames behind it where it is too long for one."""
    if len(block) <= frame_bytes:
        return frame(HEADERS, flags | END_HEADERS, stream_id, block)
    pieces = [block[at : at + frame_bytes] for at in range(0, len(block), frame_bytes)]
    frames = [frame(HEADERS, flags, stream_id, pieces[0])]
    frames += [frame(CONTINUATION, 0, stream_id, piece) for piece in pieces[1:-1]]
    frames.append(frame(CONTINUATION, END_HEADERS, stream_id, pieces[-1]))
    return b"".join(frames)


def unpad(flags: int, payload: bytes) -> bytes:
    """Take padding and priority fields off the payload of a DATA or HEADERS frame; raises ProtocolError."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a padded frame without its pad length")
        start, end = 1, end - payload[0]
    if flags & PRIORITISED:
        start += 5
    if start > end:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "padding as long as its frame or longer")
    return payload[start:end]
