"""Peers that break HTTP/2, or use its rarer frames; each server is real and scripted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h2.settings
import pytest

from bench.caddy import free_port
from loadgen.scripted_server import Script
from racelab_loadgen import frames

if TYPE_CHECKING:
    from loadgen.conftest import Load, Serve
    from loadgen.scripted_server import Request, ServerConnection


MAX_STREAMS = int(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (frames.frame(frames.DATA, 0, 2, b"x"), "stream 2, which was never opened"),
        (frames.frame(frames.PING, 0, 0, b"short"), "5 bytes instead of 8"),
        (frames.frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), "a push"),
        (frames.frame(frames.CONTINUATION, 4, 1, b""), "continues nothing"),
        (frames.frame(frames.HEADERS, 0, 1, b"") + frames.frame(frames.PING, 0, 0, bytes(8)), "interrupted"),
        (frames.frame(frames.HEADERS, 4, 1, b"\xbe"), "cannot be read"),
        (frames.window_update_frame(0, 2**31 - 1), "window overflowed"),
        (frames.frame(frames.DATA, 0, 1, bytes(16_385)), "a frame of 16385 bytes"),
        (frames.settings_frame({frames.SETTINGS_MAX_FRAME_SIZE: 5}), "maximum frame size of 5"),
        (frames.settings_frame({frames.SETTINGS_INITIAL_WINDOW_SIZE: 2**31}), "initial window of 2147483648"),
    ],
)
def test_a_peer_that_breaks_the_protocol_loses_the_connection_and_not_the_run(
    serve: Serve, load: Load, data: bytes, told: str
) -> None:
    class Wrong(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.number == 0:
                connection.raw(data)
            else:
                connection.answer(request)

    outcome = load(serve(Wrong()).url, "--requests", 3)
    assert outcome.counts == (2, 0, 1)
    assert told in outcome.history[0]["error"]


def test_pings_unknown_frames_and_priorities_are_taken_in_stride(serve: Serve, load: Load) -> None:
    class Chatty(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.raw(frames.frame(frames.PING, 0, 0, b"12345678"))
            connection.raw(frames.frame(0xEE, 0xFF, 0, b"unknown"))
            connection.raw(frames.frame(frames.PRIORITY, 0, request.stream_id, bytes(5)))
            connection.answer(request)

    server = serve(Chatty())
    assert load(server.url, "--requests", 3).counts == (3, 0, 0)
    sent = b"".join(record.plaintext for record in server.records)
    assert sent.count(frames.frame(frames.PING, frames.ACK, 0, b"12345678")) == 3


def test_a_window_update_of_zero_breaks_its_stream_only(serve: Serve, load: Load) -> None:
    class Zero(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.posts == 1:
                connection.raw(frames.window_update_frame(request.stream_id, 0))
            else:
                connection.answer(request)

    server = serve(Zero())
    assert load(server.url, "--requests", 3).counts == (2, 0, 1)
    assert len(server.connections) == 1


def test_without_alpn_h2_the_run_is_refused_in_one_line(serve: Serve, load: Load) -> None:
    class Old(Script):
        alpn = "http/1.1"

    outcome = load(serve(Old()).url, "--requests", 1)
    assert outcome.code == 3
    assert "speaks no HTTP/2" in outcome.err


def test_a_certificate_that_is_not_trusted_is_refused_with_what_to_do(serve: Serve, load: Load) -> None:
    outcome = load(serve(Script()).url, "--requests", 1, trusted=False)
    assert outcome.code == 3
    assert "--ca-file" in outcome.err


def test_a_peer_that_allows_no_streams_is_told_about(serve: Serve, load: Load) -> None:
    class Closed(Script):
        settings = ((MAX_STREAMS, 0),)

    outcome = load(serve(Closed()).url, "--requests", 1)
    assert outcome.code == 3
    assert "allows no concurrent streams" in outcome.err


def test_nothing_listening_is_exit_code_3(load: Load) -> None:
    outcome = load(f"https://localhost:{free_port()}/", "--requests", 1)
    assert outcome.code == 3
    assert "no connection to localhost port" in outcome.err
    assert outcome.history == []
