"""The connections of one target: how many there are, what room they have, and new ones where some are missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from racelab_loadgen.errors import LoadError, TargetError
from racelab_loadgen.exchange import Owner
from racelab_loadgen.target import warm_up

if TYPE_CHECKING:
    from racelab_loadgen.connection import Connection
    from racelab_loadgen.sending import SendingSide
    from racelab_loadgen.target import Target

WARM_UP_REQUESTS = 4
CONNECT_ATTEMPTS = 5
CONNECT_PAUSE_SECONDS = 0.1
PARALLEL_CONNECTS = 16


class User(Owner, Protocol):
    """Who sends on the connections of a pool, and owns them. Its `room_changed` must call the pool's `notice`."""

    def waiting(self) -> int:
        """Count the operations that wait for a stream."""

    def give_up(self, fault: LoadError, /) -> None:
        """Take it that no connection is left and none can be opened."""


class Pool:
    """Keeps the connections of one target for one user."""

    def __init__(self, target: Target, user: User) -> None:
        # Those that are open, oldest first, be they usable or about to end.
        self.connections: list[Connection] = []
        # Connections opened so far, and the smallest number of streams that a peer allowed on one.
        self.connections_opened = 0
        self.maximum_streams: int | None = None
        # How many streams `reserve` waits for now; whoever frees one calls `wake` then.
        self.reserving = 0
        self._target = target
        self._user = user
        self._room_event = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._closed = False

    @property
    def room(self) -> int:
        """How many more operations could be sent now."""
        return sum(max(0, connection.room) for connection in self.connections)

    async def open(self, wanted: int) -> None:
        """Open and warm up as many connections as `wanted` streams need; raises TargetError."""
        await self._connect(WARM_UP_REQUESTS)
        while (missing := wanted - self.room) > 0:
            before = self.room
            count = min(PARALLEL_CONNECTS, -(-missing // self._streams_per_connection))
            results = await asyncio.gather(*(self._connect(1) for _ in range(count)), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            if self.room <= before:
                raise TargetError(f"{self._target.url}: the peer allows no concurrent streams", lasting=True)

    async def reserve(self, count: int, timeout_seconds: float) -> None:
        """Wait until there is room for `count` operations, the time is over, or the pool is stopped."""
        self.reserving = count
        try:
            async with asyncio.timeout(timeout_seconds):
                while self.room < count and not self._stopped:
                    self._room_event.clear()
                    self.grow()
                    await self._room_event.wait()
        except TimeoutError:
            return
        finally:
            self.reserving = 0

    def wake(self) -> None:
        """Let `reserve` look again."""
        self._room_event.set()

    def notice(self, connection: SendingSide) -> None:
        """Take note of limits that changed and connections that ended."""
        if self.maximum_streams is None or 0 < connection.maximum_streams < self.maximum_streams:
            self.maximum_streams = connection.maximum_streams
        self.connections = [kept for kept in self.connections if not kept.closed.done()]
        self.wake()

    def grow(self) -> None:
        """Open connections for what waits; where a peer allows no stream at all, it is for the peer to change that."""
        if self._closed or self._stopped:
            return
        if any(connection.usable and connection.maximum_streams == 0 for connection in self.connections):
            return
        missing = max(self._user.waiting(), self.reserving) - self.room
        wanted = min(PARALLEL_CONNECTS, -(-missing // self._streams_per_connection)) - len(self._connecting)
        for _ in range(wanted):
            task = asyncio.get_running_loop().create_task(self._reconnect())
            self._connecting.add(task)
            task.add_done_callback(self._reconnected)

    def stop(self) -> None:
        """Open no more connections, and let nothing wait for room; those that are open stay."""
        self._stopped = True
        self.wake()

    async def close(self) -> None:
        """Close all connections; nothing of them is left afterwards."""
        self._closed = True
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        connections = list(self.connections)
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.closed for connection in connections], timeout=1)
        for connection in connections:
            connection.abort()

    @property
    def _streams_per_connection(self) -> int:
        return max(1, self.maximum_streams or 1)

    async def _connect(self, warm_up_requests: int) -> None:
        connection = await self._target.connect()
        try:
            await warm_up(connection, warm_up_requests)
        except BaseException:
            connection.abort()
            raise
        if self._closed:
            connection.close()
            return
        connection.owner = self._user
        self.connections_opened += 1
        self.connections.append(connection)
        self._user.room_changed(connection)

    async def _reconnect(self) -> None:
        for attempt in range(CONNECT_ATTEMPTS):
            try:
                # Requests wait: no warm-up.
                await self._connect(0)
            except TargetError as error:
                if error.lasting or attempt + 1 == CONNECT_ATTEMPTS:
                    raise
                await asyncio.sleep(CONNECT_PAUSE_SECONDS * 2**attempt)
            else:
                return

    def _reconnected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.grow()
        elif not self._connecting and not any(connection.usable for connection in self.connections):
            fault = error if isinstance(error, LoadError) else LoadError(f"no connection can be opened: {error}")
            self._user.give_up(fault)
        self.wake()
