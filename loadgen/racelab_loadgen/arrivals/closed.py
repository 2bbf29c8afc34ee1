"""Closed loop: every client sends its next operation when its last one has been answered."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from racelab_loadgen.engine import Engine


class Closed:
    """`concurrency` clients, each with one operation under way."""

    name = "closed"
    description = "Each of the clients sends its next operation when its last one has been answered."

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._operations = engine.plan.operations()

    async def prepare(self) -> None:
        """Nothing can be done before the start."""

    def start(self) -> None:
        """Send one operation per client."""
        engine = self._engine
        engine.refill = partial(next, self._operations, None)
        for operation in list(islice(self._operations, len(engine.plan.positions))):
            engine.send(operation)
        engine.flush()

    async def finish(self) -> None:
        """Wait: every answer sends the next operation."""
        await self._engine.settled()


ARRIVAL = Closed
