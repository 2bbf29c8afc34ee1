"""Header blocks: the request's, written once, and the responses', read once for equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

# The implementation in Rust, where jh2 has a binary for this platform: 6 µs a block instead of 80.
from jh2.connection import Decoder, Encoder, HPACKError

from racelab_loadgen.fields import Head
from racelab_loadgen.frames import ErrorCode, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAXIMUM_BLOCK_BYTES = 2**20
DEFAULT_TABLE_BYTES = 4_096
ENTRY_OVERHEAD_BYTES = 32
# Sets the size of the dynamic table to 0, at the start of a block.
EMPTY_TABLE = b"\x20"
# Instead of a length: the end of the body will show, as HTTP/2 permits.
UNTOLD = -1
REPLICA_HEADER = b"racelab-replica"
CACHED_BLOCKS = 512
SIZE_UPDATE_MASK, SIZE_UPDATE = 0xE0, 0x20


def stateless_block(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Encode headers so that neither side's dynamic table is read or changed: never indexed, no Huffman code."""
    return bytes(Encoder().encode([(name, value, True) for name, value in headers], False))


class RequestHeaders:
    """The header blocks of the requests to one URL, and of a GET of its origin's root, which warms up.

    The caller's headers go to that URL only, but for host and user agent: a secret is sent nowhere else.

    The first request of a connection puts its headers into the peer's dynamic table (`indexing`), the following ones
    refer to it (`indexed`): a few bytes instead of a hundred, which the peer reads in less time, so a burst arrives
    closer together. `literal` and `get` need no table, for peers that keep a smaller one than HPACK's default of 4,096
    bytes.
    """

    def __init__(self, scheme: str, authority: str, path: str, agent: str, head: Head | None = None) -> None:
        head = head or Head()
        origin = [(b":scheme", scheme.encode()), (b":authority", (head.authority or authority).encode())]
        accept = (b"accept", b"*/*")
        form = [(b"content-type", b"application/x-www-form-urlencoded")] if head.has_body else []
        fields = head.with_defaults([(b"user-agent", agent.encode()), accept, *form])
        agents = [(name, value) for name, value in fields if name == b"user-agent"]
        request = [(b":method", head.method.encode()), *origin, (b":path", path.encode()), *fields]
        self.get = stateless_block([(b":method", b"GET"), *origin, (b":path", b"/"), *agents, accept])
        self._tells_empty = head.tells_empty
        self._literal = self._indexing = self._indexed = stateless_block(request)
        if sum(len(name) + len(value) + ENTRY_OVERHEAD_BYTES for name, value in request) <= DEFAULT_TABLE_BYTES:
            encoder = Encoder()
            plain = [(name, value, False) for name, value in request]
            self._indexing = bytes(encoder.encode(plain, False))
            self._indexed = bytes(encoder.encode(plain, False))
        # By the length of the body.
        self._indexed_blocks: dict[int, bytes] = {}

    def literal(self, length: int) -> bytes:
        """Give the block of a request with a body of `length` bytes, without the table."""
        return self._literal + self._content_length(length)

    def indexing(self, length: int) -> bytes:
        """Give the block that fills the table."""
        return self._indexing + self._content_length(length)

    def indexed(self, length: int) -> bytes:
        """Give the block that refers to the table."""
        block = self._indexed_blocks.get(length)
        if block is None:
            block = self._indexed_blocks[length] = self._indexed + self._content_length(length)
        return block

    def _content_length(self, length: int) -> bytes:
        if length == UNTOLD or (length == 0 and not self._tells_empty):
            return b""
        return stateless_block([(b"content-length", b"%d" % length)])


class ResponseHeaders:
    """Reads the header blocks of one connection's responses: status and replica.

    A peer that honours SETTINGS_HEADER_TABLE_SIZE 0 keeps an empty dynamic table. Then a block that was read before
    means the same again. A peer that keeps a table all the same is read block by block.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(MAXIMUM_BLOCK_BYTES)
        self._read: dict[bytes, tuple[int, str | None]] = {}

    def read(self, block: bytes) -> tuple[int, str | None]:
        """Read a block: its status, 0 for trailers, and the replica; raises ProtocolError."""
        known = self._read.get(block)
        if known is not None:
            return known
        stateless = self._decoder.header_table_size == 0 and block and block[0] & SIZE_UPDATE_MASK != SIZE_UPDATE
        status, replica = 0, None
        try:
            for name, value, *_ in self._decoder.decode(block, raw=True):
                if name == b":status":
                    status = int(value)
                elif name == REPLICA_HEADER:
                    replica = value.decode("utf-8", "replace")
        except (HPACKError, ValueError) as error:
            raise ProtocolError(ErrorCode.COMPRESSION_ERROR, f"a header block that cannot be read: {error}") from error
        if stateless:
            if len(self._read) >= CACHED_BLOCKS:
                self._read.clear()
            self._read[block] = (status, replica)
        elif self._decoder.header_table_size:
            # The peer may use its table from here on: nothing that was read before holds.
            self._read.clear()
        return status, replica
