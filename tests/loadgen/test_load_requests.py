"""What is sent: method, headers and body, to a server that looks at them, and to a real Caddy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.scripted_server import APPLIED, Script
from racelab_loadgen import frames
from racelab_loadgen.cli import main
from racelab_loadgen.fields import Head
from racelab_loadgen.headers import RequestHeaders
from racelab_loadgen.summary import told

if TYPE_CHECKING:
    from pathlib import Path

    from loadgen.conftest import Edge, Load, Serve
    from loadgen.scripted_server import Request, ScriptedServer, ServerConnection

SECRET = "s3cret-and-more"


def requests_of(server: ScriptedServer) -> list[Request]:
    return [one for connection in server.connections for one in connection.requests.values() if not one.warms_up]


def warm_ups_of(server: ScriptedServer) -> list[Request]:
    return [one for connection in server.connections for one in connection.requests.values() if one.warms_up]


def test_headers_go_out_in_lower_case_and_replace_ours(serve: Serve, load: Load) -> None:
    server = serve(Script())
    outcome = load(
        *(server.url, "--requests", 3, "--header", "Content-Type: application/json", "--header", "X-Twice: 1"),
        *(
            "--header",
            "X-Twice:2",
            "--header",
            "USER-AGENT: tester",
            "--header",
            "X-Empty:",
            "--header",
            "TE: trailers",
        ),
    )
    assert outcome.counts == (3, 0, 0)
    for request in requests_of(server):
        fields = request.fields
        assert [value for name, value in fields if name == b"x-twice"] == [b"1", b"2"]
        assert [value for name, value in fields if name == b"content-type"] == [b"application/json"]
        assert [value for name, value in fields if name == b"user-agent"] == [b"tester"]
        assert (b"x-empty", b"") in fields
        assert (b"te", b"trailers") in fields
        assert (b"accept", b"*/*") in fields
        assert all(name == name.lower() for name, _ in fields)


def test_a_host_takes_the_place_of_the_urls(serve: Serve, load: Load) -> None:
    server = serve(Script())
    assert load(server.url, "--requests", 2, "--header", "Host: shop.test:8443").counts == (2, 0, 0)
    for request in requests_of(server) + warm_ups_of(server):
        assert request.headers[b":authority"] == b"shop.test:8443"
        assert b"host" not in request.headers


def test_secrets_go_to_the_url_alone_and_into_no_report(serve: Serve, load: Load) -> None:
    server = serve(Script())
    outcome = load(
        *(server.url, "--requests", 2),
        *("--header", f"Cookie: sessionid={SECRET}", "--header", f"Authorization: Bearer {SECRET}"),
    )
    assert [request.headers[b"authorization"] for request in requests_of(server)] == [b"Bearer " + SECRET.encode()] * 2
    assert warm_ups_of(server)
    assert not any(SECRET.encode() in value for request in warm_ups_of(server) for _, value in request.fields)
    assert SECRET not in outcome.out + outcome.err + json.dumps(outcome.history)


@pytest.mark.parametrize("size", [5_000, 40_000])
def test_cookies_larger_than_the_table_or_a_frame_are_sent(serve: Serve, load: Load, size: int) -> None:
    server = serve(Script())
    for arrival in ("closed", "single-packet"):
        flags = ("--requests", 4, "--concurrency", 2, "--arrival", arrival)
        assert load(server.url, *flags, "--header", "Cookie: " + "c" * size).counts == (4, 0, 0)
    assert [len(request.headers[b"cookie"]) for request in requests_of(server)] == [size] * 8


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (SECRET, "number 2 holds no colon: give 'NAME: VALUE'"),
        (f"Author ization: {SECRET}", "number 2: its name"),
        (f"{SECRET} {SECRET}: x", "number 2: its name"),
        (f": {SECRET}", "number 2 begins with a colon"),
        (f":authority: {SECRET}", "number 2 begins with a colon"),
        (f"X-Key: {SECRET}\r\nX-Other: 1", "number 2 (x-key) holds a line break"),
        (f"X-Key: {SECRET}\0", "number 2 (x-key) holds a line break or control"),
        (f"Content-Length: {SECRET}", "number 2 (Content-Length) is refused"),
        (f"Transfer-Encoding: {SECRET}", "number 2 (transfer-encoding) is about one HTTP/1.1 connection"),
        (f"Connection: {SECRET}", "number 2 (connection) is about one HTTP/1.1 connection"),
        (f"TE: {SECRET}", "number 2 (te) is about one HTTP/1.1 connection"),
        (f"Host: {SECRET}\tx", "number 2 (Host) must be HOST or HOST:PORT"),
        ("Host:", "number 2 (Host) must be HOST or HOST:PORT"),
    ],
)
def test_a_wrong_header_is_refused_by_its_place_and_never_repeated(
    capsys: pytest.CaptureFixture[str], header: str, told: str
) -> None:
    assert main(["run", "--url", "https://x/", "--requests", "1", "--header", "A: b", "--header", header]) == 2
    error = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert told in error
    assert SECRET not in error


def test_a_second_host_is_refused() -> None:
    with pytest.raises(ValueError, match="second Host"):
        Head.parse("POST", ["Host: a", "host: b"], has_body=True)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_header_is_refused_or_sent_as_it_was_given(name: str, value: str) -> None:
    try:
        head = Head.parse("POST", [f"{name}:{value}"], has_body=True)
    except ValueError:
        return
    # Only Host is no field.
    assert [(name.lower().encode(), value.strip(" \t").encode("utf-8", "surrogateescape"))] == list(head.fields) or (
        name.lower() == "host" and head.authority == value.strip(" \t")
    )


def test_a_secret_is_not_in_what_is_printed_for_debugging() -> None:
    assert SECRET not in repr(Head.parse("POST", [f"Cookie: {SECRET}"], has_body=True))


@pytest.mark.parametrize("arrival", ["closed", "burst", "single-packet"])
def test_json_is_put_with_only_the_placeholders_filled_in(serve: Serve, load: Load, arrival: str) -> None:
    server = serve(Script())
    outcome = load(
        *(server.url, "--method", "PUT", "--body", '{"order": {operation}, "cents": {amount}, "tags": {}}'),
        *("--requests", 4, "--concurrency", 4, "--arrival", arrival),
    )
    assert outcome.counts == (4, 0, 0)
    assert {request.headers[b":method"] for request in requests_of(server)} == {b"PUT"}
    assert sorted(server.bodies) == [b'{"order": %d, "cents": 100, "tags": {}}' % number for number in range(4)]


def test_a_body_is_read_from_a_file_byte_for_byte(serve: Serve, load: Load, tmp_path: Path) -> None:
    template = tmp_path / "body.json"
    template.write_bytes('{\r\n  "name": "Ĳ", "n": {operation}\n}\n'.encode())
    server = serve(Script())
    assert load(server.url, "--requests", 1, "--body", f"@{template}").counts == (1, 0, 0)
    assert server.bodies == ['{\r\n  "name": "Ĳ", "n": 0\n}\n'.encode()]


def test_a_body_file_that_is_no_text_is_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    template = tmp_path / "body.bin"
    template.write_bytes(b"\xff")
    assert main(["plan", "--requests", "1", "--body", f"@{template}"]) == 2
    assert "holds no UTF-8 text" in capsys.readouterr().err


def test_a_body_changes_the_plan_and_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--requests", "1", "--operations", "--body", '{"n": {operation}}']) == 0
    assert json.loads(capsys.readouterr().out)["body"] == '{"n": 0}'


@pytest.mark.parametrize(
    ("flags", "length"),
    [
        (("--method", "GET"), None),
        (("--method", "HEAD"), None),
        (("--method", "DELETE", "--body", ""), None),
        (("--method", "POST", "--form", ""), b"0"),
    ],
)
def test_a_request_without_a_body_ends_with_its_headers(
    serve: Serve, load: Load, flags: tuple[str, ...], length: bytes | None
) -> None:
    class Silent(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            connection.answer(request, body=b"" if request.headers[b":method"] == b"HEAD" else APPLIED)

    server = serve(Silent())
    assert load(server.url, *flags, "--requests", 3).counts == (3, 0, 0)
    for request in requests_of(server):
        assert request.headers[b":method"] == flags[1].encode()
        assert request.headers.get(b"content-length") == length
        assert b"content-type" not in request.headers
    sent = b"".join(record.plaintext for record in server.records)
    ends = [frames.frame(frames.DATA, frames.END_STREAM, request.stream_id) for request in requests_of(server)]
    assert not any(end in sent for end in ends)


@pytest.mark.parametrize("flags", [("--method", "GET"), ("--method", "POST", "--body", "")])
def test_single_packet_holds_the_very_end_of_requests_without_a_body(
    serve: Serve, load: Load, flags: tuple[str, ...]
) -> None:
    server = serve(Script())
    outcome = load(server.url, *flags, "--requests", 20, "--concurrency", 20, "--arrival", "single-packet")
    assert outcome.counts == (20, 0, 0)
    streams = [request.stream_id for request in requests_of(server)]
    ends = b"".join(frames.frame(frames.DATA, frames.END_STREAM, stream_id) for stream_id in streams)
    # All in one TLS record, and nothing else in it.
    assert [record.plaintext for record in server.records].count(ends) == 1
    # An edge that is told a length of 0 would not wait for the end.
    assert not any(b"content-length" in request.headers for request in requests_of(server))


def test_get_and_head_have_a_body_where_one_is_given(serve: Serve, load: Load) -> None:
    server = serve(Script())
    assert load(server.url, "--method", "GET", "--form", "a={operation}", "--requests", 2).counts == (2, 0, 0)
    assert sorted(server.bodies) == [b"a=0", b"a=1"]


def test_a_literal_block_holds_the_same_headers_as_an_indexed_one() -> None:
    head = Head.parse("PATCH", ["Cookie: a=b", "X-Key: v"], has_body=True)
    headers = RequestHeaders("https", "localhost:1", "/p", "agent", head)
    decoder = hpack.Decoder()
    blocks = headers.literal(4), headers.indexing(4), headers.indexed(4)
    first, second, third = ([tuple(pair) for pair in decoder.decode(block, raw=True)] for block in blocks)
    assert first == second == third
    assert (b"cookie", b"a=b") in first


# Against a real Caddy


def test_one_coupon_is_redeemed_the_way_a_form_page_wants_it(edge: Edge, load: Load) -> None:
    flags = (edge.url("/redeem"), "--form", "code=SAVE10", "--header", "Referer: https://localhost/", "--ok", 303)
    batch = ("--requests", 20, "--concurrency", 20, "--arrival", "single-packet")
    right = load(*flags, *batch, "--header", "Cookie: sessionid=s3cret")
    assert right.counts == (20, 0, 0)
    assert right.summary["statuses"] == {"303": 20}
    wrong = load(*flags, *batch, "--header", "Cookie: sessionid=other")
    assert wrong.counts == (0, 20, 0)
    assert wrong.summary["statuses"] == {"200": 20}


def test_method_host_and_body_reach_a_real_server(edge: Edge, load: Load) -> None:
    outcome = load(
        *(edge.url("/echo"), "--method", "PATCH", "--body", '{"n": [{operation}]}', "--requests", 2),
        *("--header", f"Host: LOCALHOST:{edge.port}"),
    )
    said = sorted(line["replica"] for line in outcome.history[:-1])
    assert said == [f'PATCH LOCALHOST {{"n": [{number}]}}' for number in (0, 1)]


@pytest.mark.parametrize("flags", [("--method", "GET"), ("--body", ""), ("--body", "x")])
def test_an_edge_that_buffers_waits_for_the_end_and_one_that_reads_nothing_does_not(
    edge: Edge, load: Load, flags: tuple[str, ...]
) -> None:
    batch = ("--requests", 5, "--concurrency", 5, "--arrival", "single-packet")
    waiting, hasty = load(edge.url("/waiting"), *flags, *batch), load(edge.url("/hasty"), *flags, *batch)
    assert waiting.counts == hasty.counts == (5, 0, 0)
    assert waiting.summary["answered_before_their_last_byte"] == 0
    assert hasty.summary["answered_before_their_last_byte"] == 5


def test_insecure_takes_any_certificate_and_says_so(
    serve: Serve, load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(Script())
    outcome = load(server.url, "--requests", 1, "--insecure", trusted=False)
    assert outcome.counts == (1, 0, 0)
    assert outcome.summary["certificate_verified"] is False
    # The certificate is for localhost.
    other_name = server.url.replace("localhost", "127.0.0.1")
    assert load(other_name, "--requests", 1).code == 3
    assert main(["run", "--url", other_name, "--requests", "1", "--insecure"]) == 0
    assert "certificate not verified" in capsys.readouterr().out.splitlines()


def test_a_certificate_that_is_verified_and_one_that_is_not_there_are_told_apart(edge: Edge, load: Load) -> None:
    assert load(edge.url(), "--requests", 1).summary["certificate_verified"] is True
    plain = load(f"http://localhost:{edge.plain_port}/", "--requests", 1)
    assert plain.summary["certificate_verified"] is None


def test_the_summary_counts_the_statuses(
    serve: Serve, load: Load, edge: Edge, capsys: pytest.CaptureFixture[str]
) -> None:
    class Limited(Script):
        def whole(self, connection: ServerConnection, request: Request) -> None:
            if connection.posts == 20:
                for place, one in enumerate(requests_of(connection.server)):
                    if place == 19:
                        connection.reset(one, frames.ErrorCode.INTERNAL_ERROR)
                    else:
                        connection.answer(one, status=200 if place < 3 else 422)

    flags = ("--requests", "20", "--concurrency", "20", "--arrival", "single-packet")
    outcome = load(serve(Limited()).url, *flags)
    assert outcome.counts == (3, 16, 1)
    assert outcome.summary["statuses"] == {"200": 3, "422": 16}
    assert "200: 3, 422: 16, no answer: 1" in told(outcome.summary).splitlines()
    assert main(["run", "--url", edge.url("/refuse"), "--ca-file", str(edge.authority), *flags]) == 0
    assert "422: 20" in capsys.readouterr().out.splitlines()
