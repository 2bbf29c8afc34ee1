"""Header blocks: the request's, written once, and the responses', read once for equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

# The implementation in Rust, where jh2 has a binary for this platform: 6 µs a block instead of 80.
from jh2.connection import Decoder, Encoder, HPACKError

from racelab_loadgen.frames import ErrorCode, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAXIMUM_BLOCK_BYTES = 2**20
DEFAULT_TABLE_BYTES = 4_096
ENTRY_OVERHEAD_BYTES = 32
# Sets the size of the dynamic table to 0, at the start of a block.
EMPTY_TABLE = b"\x20"
REPLICA_HEADER = b"racelab-replica"
CACHED_BLOCKS = 512
SIZE_UPDATE_MASK, SIZE_UPDATE = 0xE0, 0x20


def stateless_block(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Encode headers so that neither side's dynamic table is read or changed: never indexed, no Huffman code."""
    return bytes(Encoder().encode([(name, value, True) for name, value in headers], False))


class RequestHeaders:
    """The header blocks of a POST to one URL, and of a GET of its origin's root.

    The first POST of a connection puts its headers into the peer's dynamic table (`indexing`), the following ones refer
    to it (`indexed`): a few bytes instead of a hundred, which the peer reads in less time, so a burst arrives closer
    together. `literal` and `get` need no table, for peers that keep a smaller one than HPACK's default of 4,096 bytes.
    """

    def __init__(self, scheme: str, authority: str, path: str, agent: str) -> None:
        origin = [(b":scheme", scheme.encode()), (b":authority", authority.encode())]
        common = [(b"user-agent", agent.encode()), (b"accept", b"*/*")]
        form = (b"content-type", b"application/x-www-form-urlencoded")
        post = [(b":method", b"POST"), *origin, (b":path", path.encode()), *common, form]
        self.get = stateless_block([(b":method", b"GET"), *origin, (b":path", b"/"), *common])
        self._literal = self._indexing = self._indexed = stateless_block(post)
        if sum(len(name) + len(value) + ENTRY_OVERHEAD_BYTES for name, value in post) <= DEFAULT_TABLE_BYTES:
            encoder = Encoder()
            plain = [(name, value, False) for name, value in post]
            self._indexing = bytes(encoder.encode(plain, False))
            self._indexed = bytes(encoder.encode(plain, False))
        self._indexed_posts: dict[int, bytes] = {}

    def literal(self, length: int) -> bytes:
        """Give the block of a POST with a body of `length` bytes, without the table."""
        return self._literal + _content_length(length)

    def indexing(self, length: int) -> bytes:
        """Give the block that fills the table."""
        return self._indexing + _content_length(length)

    def indexed(self, length: int) -> bytes:
        """Give the block that refers to the table."""
        block = self._indexed_posts.get(length)
        if block is None:
            block = self._indexed_posts[length] = self._indexed + _content_length(length)
        return block


def _content_length(length: int) -> bytes:
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
