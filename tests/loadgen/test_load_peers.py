"""What peers do: limits, refusals, goodbyes, interim answers, broken connections. Each server is real and scripted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar

import h2.settings
import hpack
import pytest

from loadgen.scripted_server import APPLIED, Script
from racelab_loadgen import frames
from racelab_loadgen.frames import ErrorCode

if TYPE_CHECKING:
    from loadgen.conftest import Load, Serve
    from loadgen.scripted_server import Request, ScriptedServer, ServerConnection


MAX_STREAMS = int(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS)
TABLE = int(h2.settings.SettingCodes.HEADER_TABLE_SIZE)
WINDOW = int(h2.settings.SettingCodes.INITIAL_WINDOW_SIZE)
ARRIVALS = ("closed", "burst", "single-packet")


def each_key_once(server: ScriptedServer, count: int) -> bool:
    return Counter(server.keys) == Counter(str(number) for number in range(count))


def goaway(last: int, code: ErrorCode = ErrorCode.NO_ERROR) -> bytes:
    return frames.frame(frames.GOAWAY, 0, 0, frames.GOAWAY_FIELDS.pack(last, code))


@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("allowed", [1, 3])
def test_the_peers_limit_of_streams_is_honoured_with_more_connections(
    serve: Serve, load: Load, arrival: str, allowed: int
) -> None:
    class Narrow(Script):
        settings = ((MAX_STREAMS, allowed),)
        most = 0

        def headers(self, connection: ServerConnection, request: Request) -> None:
            self.most = max(self.most, connection.h2.open_inbound_streams)

    script = Narrow()
    server = serve(script)
    outcome = load(server.url, "--requests", 14, "--concurrency", 7, "--arrival", arrival)
    assert outcome.counts == (14, 0, 0)
    assert each_key_once(server, 14)
    assert script.most <= allowed
    assert outcome.summary["connections"] == len(server.connections) == -(-7 // allowed)
    assert outcome.summary["maximum_concurrent_streams"] == allowed


def test_a_limit_that_shrinks_later_is_honoured(serve: Serve, load: Load) -> None:
    class Shrinking(Script):
        settings = ((MAX_STREAMS, 8),)

        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request)
            if connection.posts == 8:
                connection.h2.update_settings({MAX_STREAMS: 2})

    # h2 ends the connection of a client that opens more than it acknowledged.
    outcome = load(serve(Shrinking()).url, "--requests", 60, "--concurrency", 8)
    assert outcome.counts == (60, 0, 0)


def test_what_a_goaway_did_not_process_is_sent_again_on_another_connection(serve: Serve, load: Load) -> None:
    class Leaving(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.number or connection.posts < 5:
                connection.answer(request)
            elif connection.posts == 5:
                connection.raw(goaway(request.stream_id - 2))

    server = serve(Leaving())
    outcome = load(server.url, "--requests", 40, "--concurrency", 4)
    assert outcome.counts == (40, 0, 0)
    assert len(server.connections) == 2
    assert set(server.keys) == {str(number) for number in range(40)}


def test_a_server_that_leaves_after_every_few_requests_loses_nothing(serve: Serve, load: Load) -> None:
    class Nginx(Script):
        processed: ClassVar[list[bytes]] = []

        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.posts <= 10:
                self.processed.append(request.body)
                connection.answer(request)
            if connection.posts == 10:
                connection.raw(goaway(request.stream_id))

    script = Nginx()
    server = serve(script)
    outcome = load(server.url, "--requests", 50, "--concurrency", 3)
    assert outcome.counts == (50, 0, 0)
    assert len(script.processed) == len(set(script.processed)) == 50
    assert len(server.connections) >= 5


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_a_refused_stream_is_sent_again(serve: Serve, load: Load, arrival: str) -> None:
    class Refusing(Script):
        refused = 0

        def headers(self, connection: ServerConnection, request: Request) -> None:
            if connection.posts % 3 == 1 and self.refused < 6:
                self.refused += 1
                connection.reset(request, ErrorCode.REFUSED_STREAM)

        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request)

    script = Refusing()
    server = serve(script)
    outcome = load(server.url, "--requests", 12, "--concurrency", 4, "--arrival", arrival)
    assert outcome.counts == (12, 0, 0)
    assert script.refused == 6
    assert each_key_once(server, 12)


def test_an_operation_refused_for_ever_certainly_failed(serve: Serve, load: Load) -> None:
    class Refusing(Script):
        def headers(self, connection: ServerConnection, request: Request) -> None:
            connection.reset(request, ErrorCode.REFUSED_STREAM)

    outcome = load(serve(Refusing()).url, "--requests", 1)
    assert outcome.counts == (0, 1, 0)
    assert outcome.history[0]["error"] == "never processed: the peer refused the stream"


def test_nobody_knows_what_became_of_a_stream_that_was_reset(serve: Serve, load: Load) -> None:
    class Resetting(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.reset(request, ErrorCode.INTERNAL_ERROR)

    outcome = load(serve(Resetting()).url, "--requests", 3)
    assert outcome.counts == (0, 0, 3)
    assert outcome.history[0]["error"] == "the peer reset the stream: INTERNAL_ERROR"


def test_nobody_knows_what_became_of_requests_on_a_connection_that_broke(serve: Serve, load: Load) -> None:
    class Breaking(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.number == 0 and connection.posts == 4:
                connection.transport.abort()
            elif connection.number or connection.posts < 1:
                connection.answer(request)

    server = serve(Breaking())
    outcome = load(server.url, "--requests", 20, "--concurrency", 4)
    assert outcome.code == 0
    assert outcome.counts == (16, 0, 4)
    assert {line["operation"] for line in outcome.history if line.get("type") == "info"} == {"0", "1", "2", "3"}
    assert "the connection was lost" in outcome.history[0]["error"]
    assert each_key_once(server, 20)


def test_a_server_that_disappears_ends_the_run_with_exit_code_3_and_a_history(serve: Serve, load: Load) -> None:
    class Disappearing(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.server._listener.close()
            connection.transport.abort()

    outcome = load(serve(Disappearing()).url, "--requests", 20, "--concurrency", 2)
    assert outcome.code == 3
    assert "no connection to localhost" in outcome.err
    ok, failed, unknown = outcome.counts
    assert (ok, failed, unknown) == (0, 2, 2)
    assert outcome.history[-1]["end"] == 4
    assert outcome.history[2]["error"].startswith("never sent: ")


def test_an_operation_without_an_answer_in_time_is_unknown(serve: Serve, load: Load) -> None:
    class Silent(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if request.body.endswith(b"operation=1"):
                return
            connection.answer(request)

    server = serve(Silent())
    outcome = load(server.url, "--requests", 5, "--timeout-seconds", 0.2)
    assert outcome.counts == (4, 0, 1)
    (line,) = [line for line in outcome.history if line.get("type") == "info"]
    assert (line["operation"], line["error"], line["status"]) == ("1", "no answer within 0.2 s", None)
    assert line["end_microseconds"] - line["begin_microseconds"] >= 200_000
    assert [code for _, code in server.connections[0].resets] == [ErrorCode.CANCEL]


def test_interim_answers_and_trailers_are_not_the_answer(serve: Serve, load: Load) -> None:
    class Talkative(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.h2.send_headers(request.stream_id, [(":status", "103"), ("link", "</a>")])
            connection.h2.send_headers(request.stream_id, [(":status", "200"), ("racelab-replica", "b-2")])
            for piece in (APPLIED[:5], APPLIED[5:9], APPLIED[9:]):
                connection.h2.send_data(request.stream_id, piece, pad_length=7)
            connection.h2.send_headers(request.stream_id, [("grpc-status", "0")], end_stream=True)

    outcome = load(serve(Talkative()).url, "--requests", 6, "--concurrency", 2)
    assert outcome.counts == (6, 0, 0)
    assert {(line["status"], line["replica"], line["entry"]) for line in outcome.history[:-1]} == {(200, "b-2", "e-1")}


def test_small_windows_only_slow_a_request_down(serve: Serve, load: Load) -> None:
    class Tight(Script):
        settings = ((WINDOW, 5),)

    server = serve(Tight())
    for arrival in ARRIVALS:
        outcome = load(server.url, "--requests", 4, "--concurrency", 4, "--arrival", arrival)
        assert outcome.counts == (4, 0, 0)
    assert Counter(server.keys) == Counter({str(number): 3 for number in range(4)})


def test_a_window_that_is_opened_late_by_settings_is_used(serve: Serve, load: Load) -> None:
    class Late(Script):
        settings = ((WINDOW, 0),)

        def headers(self, connection: ServerConnection, request: Request) -> None:
            connection.h2.update_settings({WINDOW: 100})

    server = serve(Late())
    assert load(server.url, "--requests", 2).counts == (2, 0, 0)


def test_a_large_body_is_sent_in_frames_that_the_peer_allows(serve: Serve, load: Load) -> None:
    server = serve(Script())
    form = f"x={'y' * 150_000}&operation={{operation}}"
    outcome = load(server.url, "--requests", 3, "--concurrency", 3, "--form", form)
    assert outcome.counts == (3, 0, 0)
    assert [len(body) for body in server.bodies] == [150_014] * 3


def test_answers_larger_than_any_window_are_read_to_their_end(serve: Serve, load: Load) -> None:
    class Long(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            # Raw: h2 would refuse more than the window without reading the client's updates in between.
            block = hpack.Encoder().encode([(":status", "200")])
            connection.raw(frames.header_frames(request.stream_id, 0, block, 16_384))
            piece = frames.frame(frames.DATA, 0, request.stream_id, bytes(16_384))
            for _ in range(700):
                connection.raw(piece)
            connection.raw(frames.frame(frames.DATA, frames.END_STREAM, request.stream_id, b"end"))

    server = serve(Long())
    outcome = load(server.url, "--requests", 2)
    assert outcome.counts == (2, 0, 0)
    sent = b"".join(record.plaintext for record in server.records)
    stream_id = max(server.connections[0].requests)
    assert sent.count(frames.pack_header(0, 4, frames.WINDOW_UPDATE, 0, stream_id)) == 1


@pytest.mark.parametrize("size", [0, 100, 4_096, 65_536])
def test_a_peers_table_of_any_size_is_respected_from_the_start_and_later(serve: Serve, load: Load, size: int) -> None:
    class Sized(Script):
        settings = ((TABLE, size),)

    class Resized(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request)
            if connection.posts == 3:
                connection.h2.update_settings({TABLE: size})

    for script in (Sized(), Resized()):
        server = serve(script)
        assert load(server.url, "--requests", 9, "--concurrency", 2).counts == (9, 0, 0)
        assert {one.headers[b":path"] for one in server.connections[0].requests.values()} == {
            b"/",
            b"/bank/deposit/atomic_only/",
        }


def test_huge_headers_in_continuation_frames_are_read(serve: Serve, load: Load) -> None:
    class Huge(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request, headers=tuple((f"x-{number}", "v" * 9_000) for number in range(20)))

    assert load(serve(Huge()).url, "--requests", 2).counts == (2, 0, 0)


def test_an_answer_before_the_whole_request_counts_and_ends_the_stream(serve: Serve, load: Load) -> None:
    class Early(Script):
        def headers(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request, status=422, body=b'{"outcome": "refused"}')

        def whole(self, connection: ServerConnection, request: Request) -> None:
            """Answered already."""

    server = serve(Early())
    outcome = load(server.url, "--requests", 4, "--concurrency", 2, "--arrival", "single-packet")
    assert outcome.counts == (0, 4, 0)
    assert not server.bodies
    assert [code for _, code in server.connections[0].resets] == [ErrorCode.CANCEL] * 4
