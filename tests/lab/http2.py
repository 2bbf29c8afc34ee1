"""A client that knows single frames: common HTTP/2 libraries give up their open streams when the server says GOAWAY."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame

if TYPE_CHECKING:
    from pathlib import Path


class FrameClient:
    """One HTTP/2 connection; `gone_away` tells whether the server wants no new streams on it."""

    def __init__(self, url: str, ca_file: Path) -> None:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["h2"])
        self._socket = context.wrap_socket(socket.create_connection((host, port), timeout=30), server_hostname=host)
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize())
        self._encoder, self._decoder = Encoder(), Decoder()
        self._next_stream = 1
        self.gone_away = False
        self.answers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()

    def post(self, path: str) -> int:
        """Send a request with a body; return its stream."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        fields = [(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        headers = HeadersFrame(stream, self._encoder.encode(fields), flags=["END_HEADERS"])
        self._socket.sendall(headers.serialize() + DataFrame(stream, b"amount=1", flags=["END_STREAM"]).serialize())
        return stream

    def read_frame(self) -> None:
        """Take in one frame."""
        head = self._read(9)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self._read(length)))
        match frame:
            case SettingsFrame() if "ACK" not in frame.flags:
                self._socket.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
            case PingFrame() if "ACK" not in frame.flags:
                self._socket.sendall(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
            case GoAwayFrame():
                self.gone_away = True
            case HeadersFrame():
                self.answers[frame.stream_id] = {str(n): str(v) for n, v in self._decoder.decode(frame.data)}
        if "END_STREAM" in frame.flags:
            self.ended.add(frame.stream_id)

    def finish(self, *streams: int) -> list[dict[str, str]]:
        """Return the headers of these streams' answers, once they are complete."""
        while not self.ended.issuperset(streams):
            self.read_frame()
        return [self.answers[stream] for stream in streams]

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            assert piece, "the edge closed the connection"
            data += piece
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
