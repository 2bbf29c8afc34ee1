"""How requests leave: what is in one TLS record, proved by a server that opens record after record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import pytest

from loadgen.scripted_server import Script
from racelab_loadgen import frames
from racelab_loadgen.arrivals.registry import all_arrivals, catalog

if TYPE_CHECKING:
    from loadgen.conftest import Load, Serve
    from loadgen.scripted_server import Request, ScriptedServer, ServerConnection


def frames_in(plaintext: bytes) -> list[tuple[int, int, int, int]]:
    """Split the plaintext of one record into frames: type, flags, stream, length."""
    plaintext = plaintext.removeprefix(frames.PREFACE)
    found, position = [], 0
    while position + 9 <= len(plaintext):
        high, low, kind, flags, stream_id = frames.unpack_header(plaintext, position)
        found.append((kind, flags, stream_id, high << 8 | low))
        position += 9 + (high << 8 | low)
    assert position == len(plaintext), "a record that ends within a frame"
    return found


def post_records(server: ScriptedServer) -> list[tuple[int, list[tuple[int, int, int, int]]]]:
    """The records after the warm-up that carry HEADERS or DATA."""
    parsed = [(record.connection, frames_in(record.plaintext)) for record in server.records]
    return [
        (connection, found)
        for connection, found in parsed
        if any(kind in (frames.HEADERS, frames.DATA) for kind, *_ in found)
        and not any(kind == frames.HEADERS and flags & frames.END_STREAM for kind, flags, *_ in found)
    ]


def test_single_packet_sends_all_last_bytes_of_a_batch_in_one_tls_record(serve: Serve, load: Load) -> None:
    server = serve(Script())
    outcome = load(server.url, "--requests", 40, "--concurrency", 20, "--arrival", "single-packet")
    assert outcome.counts == (40, 0, 0)
    partial, final, second_partial, second_final = (found for _, found in post_records(server))
    for held, released in ((partial, final), (second_partial, second_final)):
        assert [kind for kind, *_ in held].count(frames.HEADERS) == 20
        assert not any(flags & frames.END_STREAM for kind, flags, *_ in held)
        assert [(kind, flags, length) for kind, flags, _, length in released] == [
            (frames.DATA, frames.END_STREAM, 1)
        ] * 20
        assert len({stream_id for _, _, stream_id, _ in released}) == 20


def test_single_packet_waits_for_a_ping_before_the_last_bytes(serve: Serve, load: Load) -> None:
    class Watching(Script):
        first_headers = first_whole = 0.0

        def headers(self, connection: ServerConnection, request: Request) -> None:
            self.first_headers = self.first_headers or time.monotonic()

        def whole(self, connection: ServerConnection, request: Request) -> None:
            self.first_whole = self.first_whole or time.monotonic()
            connection.answer(request)

    script = Watching()
    server = serve(script)
    load(server.url, "--requests", 5, "--concurrency", 5, "--arrival", "single-packet")
    assert script.first_whole - script.first_headers > 0.095
    kinds = [kind for record in server.records for kind, flags, _, _ in frames_in(record.plaintext)]
    last_data = len(kinds) - 1 - kinds[::-1].index(frames.DATA)
    held_data = kinds.index(frames.DATA)
    assert frames.PING in kinds[held_data:last_data]


def test_single_packet_over_several_connections_releases_them_together(serve: Serve, load: Load) -> None:
    class Narrow(Script):
        settings = ((frames.SETTINGS_MAX_CONCURRENT_STREAMS, 4),)
        opened: ClassVar[list[int]] = []

        def whole(self, connection: ServerConnection, request: Request) -> None:
            self.opened.append(sum(one.h2.open_inbound_streams for one in connection.server.connections))
            connection.answer(request)

    script = Narrow()
    server = serve(script)
    outcome = load(server.url, "--requests", 10, "--concurrency", 10, "--arrival", "single-packet")
    assert outcome.counts == (10, 0, 0)
    # When the first one is whole, all ten are at the server.
    assert script.opened[0] == 10
    released = [found for _, found in post_records(server)][3:]
    assert sorted(len(found) for found in released) == [2, 4, 4]


@pytest.mark.parametrize(("form", "size"), [("x", 1), ("", 0)])
def test_single_packet_takes_the_shortest_bodies(serve: Serve, load: Load, form: str, size: int) -> None:
    server = serve(Script())
    outcome = load(server.url, "--requests", 4, "--concurrency", 4, "--arrival", "single-packet", "--form", form)
    assert outcome.counts == (4, 0, 0)
    _, (_, final) = post_records(server)
    assert [(kind, flags, length) for kind, flags, _, length in final] == [(frames.DATA, frames.END_STREAM, size)] * 4


def test_burst_sends_a_batch_of_whole_requests_in_one_tls_record(serve: Serve, load: Load) -> None:
    server = serve(Script())
    assert load(server.url, "--requests", 64, "--concurrency", 32, "--arrival", "burst").counts == (64, 0, 0)
    batches = [found for _, found in post_records(server)]
    assert len(batches) == 2
    for found in batches:
        assert [kind for kind, *_ in found] == [frames.HEADERS, frames.DATA] * 32


def test_burst_sends_a_batch_only_when_the_one_before_is_answered(serve: Serve, load: Load) -> None:
    server = serve(Script())
    outcome = load(server.url, "--requests", 30, "--concurrency", 10, "--arrival", "burst")
    lines = sorted(outcome.history[:-1], key=lambda line: int(line["operation"]))
    for start in (10, 20):
        before, after = lines[start - 10 : start], lines[start : start + 10]
        assert max(line["end_microseconds"] for line in before) <= min(line["begin_microseconds"] for line in after)


def test_closed_keeps_as_many_operations_under_way_as_there_are_clients(serve: Serve, load: Load) -> None:
    class Counting(Script):
        most = 0
        answered: ClassVar[set[int]] = set()

        def whole(self, connection: ServerConnection, request: Request) -> None:
            waiting = [one for one in connection.requests.values() if one.headers[b":method"] == b"POST"]
            self.most = max(self.most, connection.h2.open_inbound_streams)
            if len(waiting) >= 6:
                for one in waiting:
                    if one.stream_id not in self.answered:
                        self.answered.add(one.stream_id)
                        connection.answer(one)

    script = Counting()
    outcome = load(serve(script).url, "--requests", 6, "--concurrency", 6)
    assert outcome.counts == (6, 0, 0)
    assert script.most == 6


def test_an_edge_that_does_not_wait_for_the_last_byte_is_told_about(serve: Serve, load: Load) -> None:
    class Hasty(Script):
        def headers(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request)

        def whole(self, connection: ServerConnection, request: Request) -> None:
            """Answered already."""

    hasty, patient = serve(Hasty()), serve(Script())
    flags = ("--requests", 4, "--concurrency", 4, "--arrival", "single-packet")
    assert load(hasty.url, *flags).summary["answered_before_their_last_byte"] == 4
    assert load(patient.url, *flags).summary["answered_before_their_last_byte"] == 0


def test_the_catalog_describes_every_arrival() -> None:
    assert list(all_arrivals()) == ["burst", "closed", "single-packet"]
    assert [arrival["name"] for arrival in catalog()["arrivals"]] == list(all_arrivals())
    assert all(arrival["description"].endswith(".") for arrival in catalog()["arrivals"])
