"""Single packet: every request of a batch waits at the edge for its last byte, and all last bytes arrive together.

For each stream HEADERS and all of the body but its last byte are sent; about 100 ms later a PING makes sure that they
have arrived; then the last DATA frames of all streams leave in one write, which is one TLS record and, up to the size
of a segment, one packet. So neither the network nor the order of sending separates the requests. It works where the
edge reads the whole body before it passes a request on. Published by J. Kettle, "Smashing the state machine", 2023.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racelab_loadgen.connection import Connection
    from racelab_loadgen.engine import Engine

# Long enough for the peer's kernel and edge to have taken in what was sent.
HOLD_SECONDS = 0.1


class SinglePacket:
    """Batch after batch; what is prepared is everything but the last bytes."""

    name = "single-packet"
    description = "All requests of a batch wait at the edge for their last byte; the last bytes leave in one packet."

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._batches = engine.plan.batches()
        self._held: list[Connection] = []
        self._ended = False

    async def prepare(self) -> None:
        """Send the next batch but for the last bytes, and see it acknowledged."""
        engine = self._engine
        batch = next(self._batches, [])
        self._held = []
        if not batch:
            self._ended = True
            return
        await engine.reserve(len(batch))
        if engine.stopping:
            self._ended = True
            return
        # What the peer refuses meanwhile must not overtake the batch.
        engine.pause()
        for connection, exchanges in engine.place(batch):
            for exchange in exchanges:
                connection.hold(exchange)
            connection.flush()
            self._held.append(connection)
        await asyncio.sleep(HOLD_SECONDS)
        # A connection that is lost here has told the engine so itself.
        await asyncio.gather(*(connection.ping() for connection in self._held), return_exceptions=True)

    def start(self) -> None:
        """Release the last bytes, one write per connection."""
        for connection in self._held:
            connection.release(perf_counter_ns())
        self._engine.resume()

    async def finish(self) -> None:
        """Send the following batches, each when the one before is answered."""
        await self._engine.settled()
        while not self._engine.stopping:
            await self.prepare()
            if self._ended:
                break
            self.start()
            await self._engine.settled()


ARRIVAL = SinglePacket
