"""One request and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from racelab_loadgen.plan import Operation
    from racelab_loadgen.sending import SendingSide


class Exchange:
    """One request and its answer so far. Begin and end are `perf_counter_ns` values.

    `operation` is None for the requests of the warm-up. `status` 0 means that no final answer has begun.
    """

    __slots__ = (
        "answer",
        "attempts",
        "begin_ns",
        "body",
        "body_sent",
        "end_ns",
        "held",
        "operation",
        "received_bytes",
        "replica",
        "send_window_bytes",
        "status",
        "unfinished",
    )

    def __init__(self, operation: Operation | None, body: bytes) -> None:
        self.operation = operation
        self.body = body
        self.attempts = 0
        self.begin_ns = 0
        self.end_ns = 0
        self.reset()

    def reset(self) -> None:
        """Forget what one attempt left behind, before the next one."""
        self.status = 0
        self.replica: str | None = None
        self.answer = b""
        self.received_bytes = 0
        # What follows only matters to a body that could not be sent at once.
        self.body_sent = 0
        self.send_window_bytes = 0
        self.held = False
        self.unfinished = False


class Owner(Protocol):
    """Who is told what became of the exchanges of a connection, and may send on it at once."""

    def answered(self, connection: SendingSide, exchange: Exchange, /) -> None:
        """Tell that the answer is complete."""

    def unprocessed(self, connection: SendingSide, exchange: Exchange, reason: str, /) -> None:
        """Tell that the peer promised not to have processed the request: sending it again is safe."""

    def broken(self, connection: SendingSide, exchange: Exchange, reason: str, /) -> None:
        """Tell that the exchange ended and nobody knows whether the request was processed."""

    def room_changed(self, connection: SendingSide, /) -> None:
        """Tell that the connection takes more or fewer exchanges than before, or none any more."""
