"""Header blocks and frames."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_loadgen import frames
from racelab_loadgen.frames import ProtocolError
from racelab_loadgen.headers import RequestHeaders, ResponseHeaders

HEADERS = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"localhost:1"),
    (b":path", b"/p?q=1"),
    (b"user-agent", b"agent"),
    (b"accept", b"*/*"),
    (b"content-type", b"application/x-www-form-urlencoded"),
]


def test_a_literal_block_reads_the_same_whatever_came_before() -> None:
    headers = RequestHeaders("https", "localhost:1", "/p?q=1", "agent")
    decoder = hpack.Decoder()
    for length in (40, 41):
        expected = [*HEADERS, (b"content-length", b"%d" % length)]
        assert list(decoder.decode(headers.literal(length), raw=True)) == expected
    assert not decoder.header_table.dynamic_entries


def test_the_first_block_fills_the_table_that_the_others_refer_to() -> None:
    headers = RequestHeaders("https", "localhost:1", "/p?q=1", "agent")
    decoder = hpack.Decoder()
    decoder.decode(headers.get)
    blocks = [headers.indexing(40), headers.indexed(41), headers.get, headers.indexed(42)]
    read = [list(decoder.decode(block, raw=True)) for block in blocks]
    for fields, length in ((read[0], 40), (read[1], 41), (read[3], 42)):
        assert fields == [*HEADERS, (b"content-length", b"%d" % length)]
    assert len(blocks[3]) < 15


def test_headers_too_large_for_the_table_are_sent_without_it() -> None:
    headers = RequestHeaders("https", "localhost:1", "/" + "p" * 5_000, "agent")
    assert headers.indexing(40) == headers.indexed(40) == headers.literal(40)


responses = st.lists(
    st.tuples(st.sampled_from([200, 404, 422, 503]), st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), max_size=40
)


@given(responses, st.lists(st.sampled_from([0, 0, 64, 4096]), min_size=1, max_size=4))
def test_responses_are_read_right_whatever_the_peer_does_with_its_table(
    answers: list[tuple[int, str, int]], sizes: list[int]
) -> None:
    encoder, reader = hpack.Encoder(), ResponseHeaders()
    for position, (status, replica, other) in enumerate(answers):
        if position % 7 == 3:
            encoder.header_table_size = sizes[position % len(sizes)]
        block = encoder.encode([(":status", str(status)), ("racelab-replica", replica), ("x", str(other))])
        assert reader.read(block) == (status, replica)


def test_a_block_that_cannot_be_read_is_a_compression_error() -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        ResponseHeaders().read(b"\xbe")


@given(st.binary(max_size=100), st.integers(1, 40))
def test_a_long_header_block_is_split_and_complete(block: bytes, frame_bytes: int) -> None:
    data = frames.header_frames(3, 0, block, frame_bytes)
    pieces, position = [], 0
    while position < len(data):
        high, low, kind, flags, stream_id = frames.unpack_header(data, position)
        length = high << 8 | low
        pieces.append((kind, flags, data[position + 9 : position + 9 + length]))
        assert stream_id == 3
        position += 9 + length
    assert b"".join(piece for _, _, piece in pieces) == block
    assert [kind for kind, _, _ in pieces] == [frames.HEADERS] + [frames.CONTINUATION] * (len(pieces) - 1)
    assert [flags for _, flags, _ in pieces] == [0] * (len(pieces) - 1) + [frames.END_HEADERS]


@given(st.binary(max_size=50), st.integers(0, 255))
def test_padding_is_taken_off(payload: bytes, padding: int) -> None:
    assert frames.unpad(frames.PADDED, bytes([padding]) + payload + bytes(padding)) == payload


def test_padding_longer_than_its_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="padding"):
        frames.unpad(frames.PADDED, b"\x09abc")
