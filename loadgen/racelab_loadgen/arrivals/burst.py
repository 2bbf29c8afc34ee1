"""Burst: a batch of whole requests leaves in one write per connection, the next batch when all are answered."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racelab_loadgen.engine import Engine
    from racelab_loadgen.plan import Operation


class Burst:
    """Batch after batch, each at once."""

    name = "burst"
    description = "A batch of whole requests leaves in one write; the next batch follows when all are answered."

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._batches = engine.plan.batches()
        self._batch: list[Operation] = []

    async def prepare(self) -> None:
        """Take the next batch, and make sure that there are enough streams for it."""
        self._batch = next(self._batches, [])
        await self._engine.reserve(len(self._batch))

    def start(self) -> None:
        """Write the batch, connection by connection."""
        placed = self._engine.place(self._batch)
        for connection, exchanges in placed:
            for exchange in exchanges:
                connection.post(exchange)
        for connection, exchanges in placed:
            now_ns = perf_counter_ns()
            for exchange in exchanges:
                exchange.begin_ns = now_ns
            connection.flush()

    async def finish(self) -> None:
        """Send the following batches, each when the one before is answered."""
        await self._engine.settled()
        while not self._engine.stopping:
            await self.prepare()
            if not self._batch or self._engine.stopping:
                break
            self.start()
            await self._engine.settled()


ARRIVAL = Burst
