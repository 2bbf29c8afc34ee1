"""The engine: keeps connections open, sends operations on them, and records what became of each.

An arrival decides when operations are sent. The engine finds each a stream within the peer's limits, sends again what
the peer promises not to have processed, opens new connections where some are lost, and watches the timeouts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING

from racelab_loadgen.errors import LoadError, TargetError
from racelab_loadgen.exchange import Exchange
from racelab_loadgen.target import warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from racelab_loadgen.connection import Connection
    from racelab_loadgen.history import History
    from racelab_loadgen.plan import Operation, Plan
    from racelab_loadgen.target import Target

WARM_UP_REQUESTS = 4
CONNECT_ATTEMPTS = 5
CONNECT_PAUSE_SECONDS = 0.1
PARALLEL_CONNECTS = 16
# How often one operation is sent again after the peer promised not to have processed it.
RESEND_ATTEMPTS = 20


class Engine:
    """Sends the operations of one plan to one target. It is the owner of its connections."""

    def __init__(self, target: Target, plan: Plan, history: History, timeout_seconds: float) -> None:
        self.plan = plan
        self.history = history
        self.stopping = False
        self.fault: LoadError | None = None
        # Connections opened so far, and the smallest number of streams that a peer allowed on one.
        self.connections_opened = 0
        self.maximum_streams: int | None = None
        # Answers to requests whose body was not sent to its end: such a peer does not wait for the last byte.
        self.answered_early = 0
        # Gives the next operation whenever one has ended, while a closed loop runs.
        self.refill: Callable[[], Operation | None] | None = None
        self._target = target
        self._timeout_ns = int(timeout_seconds * 1e9)
        self._loop = asyncio.get_running_loop()
        self._connections: list[Connection] = []
        self._waiting: deque[Exchange] = deque()
        self._paused = False
        self._active = 0
        self._settled: asyncio.Future[None] | None = None
        self._room_wanted = 0
        self._room_event = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    # Connections

    async def open(self) -> None:
        """Open and warm up as many connections as the plan's clients need; raises TargetError."""
        wanted = max(1, len(self.plan.positions))
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
        self._timer = self._loop.call_later(self._timeout_ns / 1e9, self._expire)

    @property
    def room(self) -> int:
        """How many more operations could be sent now."""
        return sum(max(0, connection.room) for connection in self._connections)

    async def reserve(self, count: int) -> None:
        """Wait until `count` operations can be sent at once, for as long as one operation may take."""
        self._room_wanted = count
        try:
            async with asyncio.timeout(self._timeout_ns / 1e9):
                while self.room < count and self.fault is None and not self.stopping:
                    self._room_event.clear()
                    self._grow()
                    await self._room_event.wait()
        except TimeoutError:
            # What finds no stream will be recorded as never sent.
            return
        finally:
            self._room_wanted = 0

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
        connection.owner = self
        self.connections_opened += 1
        self._connections.append(connection)
        self.room_changed(connection)

    @property
    def _streams_per_connection(self) -> int:
        return max(1, self.maximum_streams or 1)

    def _grow(self) -> None:
        """Open connections for what waits; where a peer allows no stream at all, it is for the peer to change that."""
        if self._closed or self.fault is not None:
            return
        if any(connection.usable and connection.maximum_streams == 0 for connection in self._connections):
            return
        missing = max(len(self._waiting), self._room_wanted) - self.room
        wanted = min(PARALLEL_CONNECTS, -(-missing // self._streams_per_connection)) - len(self._connecting)
        for _ in range(wanted):
            task = self._loop.create_task(self._reconnect())
            self._connecting.add(task)
            task.add_done_callback(self._reconnected)

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
            self._grow()
        elif not self._connecting and not any(connection.usable for connection in self._connections):
            self.give_up(error if isinstance(error, LoadError) else LoadError(f"no connection can be opened: {error}"))
        self._room_event.set()

    # What arrivals use

    def send(self, operation: Operation, preferred: Connection | None = None) -> None:
        """Send an operation as soon as a stream is free; the write leaves at the end of this turn of the event loop."""
        exchange = Exchange(operation, self.plan.body(operation))
        self._active += 1
        if preferred is not None and preferred.room > 0 and not self._waiting:
            preferred.post(exchange)
        else:
            self._queue(exchange)

    def place(self, operations: Iterable[Operation]) -> list[tuple[Connection, list[Exchange]]]:
        """Spread a batch over the connections that have streams for it; what finds none will be sent later."""
        exchanges = deque(Exchange(operation, self.plan.body(operation)) for operation in operations)
        self._active += len(exchanges)
        placed = []
        for connection in self._connections:
            count = min(max(0, connection.room), len(exchanges))
            if count:
                placed.append((connection, [exchanges.popleft() for _ in range(count)]))
        for exchange in exchanges:
            self._queue(exchange)
        return placed

    def flush(self) -> None:
        """Write now what has been sent."""
        for connection in self._connections:
            connection.flush()

    def pause(self) -> None:
        """Send nothing that waits until `resume`: it would reach the target before its batch."""
        self._paused = True

    def resume(self) -> None:
        """Send what waits."""
        self._paused = False
        self._dispatch()

    async def settled(self) -> None:
        """Wait until every operation that was begun is recorded."""
        if self._active:
            if self._settled is None or self._settled.done():
                self._settled = self._loop.create_future()
            await asyncio.shield(self._settled)

    # Ends

    def stop(self) -> None:
        """Begin nothing more; what is under way goes on."""
        self.stopping = True
        self.refill = None
        self._fail_waiting("never sent: the run was stopped")
        self._room_event.set()

    def abandon(self, reason: str) -> None:
        """Stop, and record everything that is still open as `info`."""
        self.stop()
        for connection in self._connections:
            connection.cancel_begun_before(perf_counter_ns() + 1, reason)

    def give_up(self, fault: LoadError) -> None:
        """Stop because the run cannot go on; the first reason is kept."""
        if self.fault is None:
            self.fault = fault
        self.stopping = True
        self.refill = None
        self._fail_waiting(f"never sent: {fault}")
        self._room_event.set()

    async def close(self) -> None:
        """Close all connections; nothing of them is left afterwards."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        connections = list(self._connections)
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.closed for connection in connections], timeout=1)
        for connection in connections:
            connection.abort()

    # Owner of connections

    def answered(self, connection: Connection, exchange: Exchange) -> None:
        """Record the answer, and use the stream that it freed."""
        operation = exchange.operation
        if operation is None:
            return
        try:
            self.history.answered(exchange, operation)
        except OSError as error:
            self._history_failed(error)
        if exchange.unfinished:
            self.answered_early += 1
        self._ended(connection)

    def broken(self, connection: Connection, exchange: Exchange, reason: str) -> None:
        """Record that nobody knows."""
        if exchange.operation is not None:
            self._record_unanswered(exchange, sent=True, reason=reason)
            self._ended(connection)

    def unprocessed(self, connection: Connection, exchange: Exchange, reason: str) -> None:
        """Send the operation again, on whatever connection has a stream."""
        if exchange.operation is None:
            return
        if self.stopping or exchange.attempts >= RESEND_ATTEMPTS:
            self._record_unanswered(exchange, sent=False, reason=f"never processed: {reason}")
            self._ended(connection)
            return
        exchange.attempts += 1
        exchange.reset()
        # Not in this turn of the event loop: the peer has just asked for less.
        self._loop.call_later(min(0.1, 0.001 * 2**exchange.attempts), self._queue, exchange)

    def room_changed(self, connection: Connection) -> None:
        """Notice limits that changed and connections that ended."""
        if self.maximum_streams is None or 0 < connection.maximum_streams < self.maximum_streams:
            self.maximum_streams = connection.maximum_streams
        if connection.closed.done() and connection in self._connections:
            self._connections.remove(connection)
        self._room_event.set()
        self._dispatch()

    # Inner workings

    def _queue(self, exchange: Exchange) -> None:
        exchange.begin_ns = perf_counter_ns()
        self._waiting.append(exchange)
        self._dispatch()

    def _dispatch(self) -> None:
        """Give waiting exchanges the streams there are, and open connections for the rest."""
        waiting = self._waiting
        if not waiting:
            return
        if self.stopping:
            self._fail_waiting(f"never sent: {self.fault or 'the run was stopped'}")
            return
        if self._paused:
            return
        for connection in self._connections:
            for _ in range(min(len(waiting), connection.room)):
                connection.post(waiting.popleft())
            if not waiting:
                return
        self._grow()

    def _ended(self, connection: Connection | None) -> None:
        self._active -= 1
        if self._waiting:
            self._dispatch()
        if self._room_wanted:
            self._room_event.set()
        if self.refill is not None:
            operation = self.refill()
            if operation is None:
                self.refill = None
            else:
                self.send(operation, connection)
        if not self._active and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def _fail_waiting(self, reason: str) -> None:
        while self._waiting:
            exchange = self._waiting.popleft()
            self._record_unanswered(exchange, sent=False, reason=reason)
            self._active -= 1
        if not self._active and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def _record_unanswered(self, exchange: Exchange, *, sent: bool, reason: str) -> None:
        operation = exchange.operation
        if operation is None:
            return
        end_ns = perf_counter_ns()
        try:
            self.history.unanswered(operation, "info" if sent else "fail", exchange.begin_ns, end_ns, reason)
        except OSError as error:
            self._history_failed(error)

    def _history_failed(self, error: OSError) -> None:
        if self.fault is None:
            self.give_up(LoadError(f"the history cannot be written to {self.history.place}: {error.strerror or error}"))

    def _expire(self) -> None:
        """Give up what has taken too long, and look again when the next one is due."""
        limit_ns = perf_counter_ns() - self._timeout_ns
        seconds = self._timeout_ns / 1e9
        for connection in list(self._connections):
            connection.cancel_begun_before(limit_ns, f"no answer within {seconds:g} s")
        while self._waiting and self._waiting[0].begin_ns < limit_ns:
            exchange = self._waiting.popleft()
            self._record_unanswered(exchange, sent=False, reason=f"never sent: no free stream within {seconds:g} s")
            self._ended(None)
        oldest_ns = min(
            (exchange.begin_ns for connection in self._connections for exchange in connection.exchanges.values()),
            default=limit_ns + self._timeout_ns,
        )
        delay = (oldest_ns - limit_ns) / 1e9
        self._timer = self._loop.call_later(max(0.001, delay), self._expire)
