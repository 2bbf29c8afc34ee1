"""The engine: keeps connections open, sends operations on them, and records what became of each.

An arrival decides when operations are sent. The engine finds each a stream within the peer's limits, sends again what
the peer promises not to have processed, and watches the timeouts. Its pool keeps the connections.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import TYPE_CHECKING

from racelab_loadgen.errors import LoadError
from racelab_loadgen.exchange import Exchange
from racelab_loadgen.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from racelab_loadgen.connection import Connection
    from racelab_loadgen.history import History
    from racelab_loadgen.plan import Operation, Plan
    from racelab_loadgen.sending import SendingSide
    from racelab_loadgen.target import Target

# How often one operation is sent again after the peer promised not to have processed it.
RESEND_ATTEMPTS = 20


class Engine:
    """Sends the operations of one plan to one target. It is the owner of the connections of its pool."""

    def __init__(self, target: Target, plan: Plan, history: History, timeout_seconds: float) -> None:
        self.plan = plan
        self.pool = Pool(target, self)
        self.history = history
        self.stopping = False
        self.fault: LoadError | None = None
        # Answers to requests whose body was not sent to its end: such a peer does not wait for the last byte.
        self.answered_early = 0
        # Gives the next operation whenever one has ended, while a closed loop runs.
        self.refill: Callable[[], Operation | None] | None = None
        self._timeout_ns = int(timeout_seconds * 1e9)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Exchange] = deque()
        self._paused = False
        self._active = 0
        self._settled: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Open and warm up as many connections as the plan's clients need; raises TargetError."""
        await self.pool.open(max(1, len(self.plan.positions)))
        self._timer = self._loop.call_later(self._timeout_ns / 1e9, self._expire)

    # What arrivals use

    async def reserve(self, count: int) -> None:
        """Wait until `count` operations can be sent at once, for as long as one operation may take.

        What finds no stream even then will be recorded as never sent.
        """
        await self.pool.reserve(count, self._timeout_ns / 1e9)

    def send(self, operation: Operation, preferred: SendingSide | None = None) -> None:
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
        for connection in self.pool.connections:
            count = min(max(0, connection.room), len(exchanges))
            if count:
                placed.append((connection, [exchanges.popleft() for _ in range(count)]))
        for exchange in exchanges:
            self._queue(exchange)
        return placed

    def flush(self) -> None:
        """Write now what has been sent."""
        for connection in self.pool.connections:
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
        self.pool.stop()

    def abandon(self, reason: str) -> None:
        """Stop, and record everything that is still open as `info`."""
        self.stop()
        for connection in self.pool.connections:
            connection.cancel_begun_before(perf_counter_ns() + 1, reason)

    def give_up(self, fault: LoadError) -> None:
        """Stop because the run cannot go on; the first reason is kept."""
        if self.fault is None:
            self.fault = fault
        self.stopping = True
        self.refill = None
        self._fail_waiting(f"never sent: {fault}")
        self.pool.stop()

    async def close(self) -> None:
        """Close all connections; nothing of them is left afterwards."""
        if self._timer is not None:
            self._timer.cancel()
        await self.pool.close()

    # User of the pool, and with it owner of its connections

    def answered(self, connection: SendingSide, exchange: Exchange) -> None:
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

    def broken(self, connection: SendingSide, exchange: Exchange, reason: str) -> None:
        """Record that nobody knows."""
        if exchange.operation is not None:
            self._record_unanswered(exchange, sent=True, reason=reason)
            self._ended(connection)

    def unprocessed(self, connection: SendingSide, exchange: Exchange, reason: str) -> None:
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

    def room_changed(self, connection: SendingSide) -> None:
        """Notice limits that changed and connections that ended."""
        self.pool.notice(connection)
        self._dispatch()

    def waiting(self) -> int:
        """Count the operations that wait for a stream."""
        return len(self._waiting)

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
        for connection in self.pool.connections:
            for _ in range(min(len(waiting), connection.room)):
                connection.post(waiting.popleft())
            if not waiting:
                return
        self.pool.grow()

    def _ended(self, connection: SendingSide | None) -> None:
        self._active -= 1
        if self._waiting:
            self._dispatch()
        if self.pool.reserving:
            self.pool.wake()
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
        for connection in list(self.pool.connections):
            connection.cancel_begun_before(limit_ns, f"no answer within {seconds:g} s")
        while self._waiting and self._waiting[0].begin_ns < limit_ns:
            exchange = self._waiting.popleft()
            self._record_unanswered(exchange, sent=False, reason=f"never sent: no free stream within {seconds:g} s")
            self._ended(None)
        oldest_ns = min(
            (exchange.begin_ns for connection in self.pool.connections for exchange in connection.exchanges.values()),
            default=limit_ns + self._timeout_ns,
        )
        delay = (oldest_ns - limit_ns) / 1e9
        self._timer = self._loop.call_later(max(0.001, delay), self._expire)
