"""Performs scripts on a real PostgreSQL: one connection per transaction, step by step.

Nothing is timed. Either a statement has ended, or it waits for a lock that another transaction of the script holds,
which PostgreSQL is asked about (`pg_blocking_pids`). Then the script goes on, and what this transaction says next is
said when its statement has ended.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.pq import TransactionStatus

from racelab_bank.isolation.anomalies import anomalies
from racelab_bank.isolation.errors import NotPerformed
from racelab_bank.isolation.observation import BEGIN, Observation, Observations, Performed
from racelab_bank.isolation.scratch import Connect, Connection, Scratch, prepare, scratch
from racelab_bank.isolation.script import AUTOCOMMIT, ENDS, LEVELS, ROLLBACK, TRANSACTIONS, Script

PATIENCE_SECONDS: Final = 20
_POLL_SECONDS: Final = 0.005

_Answer: TypeAlias = Future[psycopg.Cursor[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Performer:
    """Three connections that perform, and the scratch table with a fourth that looks on; made by `performer`."""

    table: Scratch
    connections: Mapping[str, Connection]
    executor: ThreadPoolExecutor
    patience_seconds: float

    def perform(self, script: Script, level: str) -> Observation:
        """Perform a script on a fresh table at one of `LEVELS`, and return what was observed.

        Raises `NotPerformed` when a statement neither ends nor waits for the script's other transactions, and
        `psycopg.Error` when one fails with anything but a serialization failure or a deadlock, which are observations.
        """
        self.table.fill()
        performance = _Performance(self, script, level)
        try:
            return performance.run()
        finally:
            performance.abandon()


@contextmanager
def performer(connect: Connect, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Performer]:
    """Open the connections and make the scratch schema; close and drop them at the end. Raises as `scratch` does."""
    with ExitStack() as stack:
        table = stack.enter_context(scratch(connect))
        executor = stack.enter_context(ThreadPoolExecutor(len(TRANSACTIONS)))
        connections = {name: stack.enter_context(connect()) for name in TRANSACTIONS}
        for connection in connections.values():
            prepare(connection)
        yield Performer(table, connections, executor, patience_seconds)


def perform_all(performing: Performer) -> Observations:
    """Perform every anomaly's script at every level."""
    return {
        name: {level: performing.perform(one.script, level) for level in LEVELS} for name, one in anomalies().items()
    }


@dataclass(slots=True)
class _Transaction:
    """One transaction of a script. `said`: what it is to say next, as statement numbers and SQL."""

    name: str
    connection: Connection
    said: deque[tuple[int, str]] = field(default_factory=deque)
    statements: int = 0
    answer: _Answer | None = None
    index: int = -1
    aborted: bool = False

    @property
    def pid(self) -> int:
        return self.connection.info.backend_pid


class _Performance:
    """One script, performed once."""

    def __init__(self, performing: Performer, script: Script, level: str) -> None:
        self._performing = performing
        self._script = script
        self._level = level
        self._transactions = {name: _Transaction(name, performing.connections[name]) for name in script.transactions}
        self._performed: list[Performed] = []
        self._last_ended: int | None = None

    def run(self) -> Observation:
        for step in self._script.steps:
            self._hear(self._transactions[step.transaction], step.sql)
            self._go_on()
        self._await_the_last()
        return Observation(tuple(self._performed), self._performing.table.rows())

    def _hear(self, transaction: _Transaction, sql: str) -> None:
        """Take a step into what its transaction is to say; after an abort there is nothing left to be said."""
        transaction.statements += 1
        if transaction.aborted or (self._level == AUTOCOMMIT and sql in ENDS):
            return
        if transaction.statements == 1 and self._level != AUTOCOMMIT:
            transaction.said.append((0, BEGIN))
        transaction.said.append((transaction.statements, sql))

    def _go_on(self) -> None:
        """Let the transactions say what they can, until each has said all of it or waits for another one."""
        while any(self._advance(transaction) for transaction in self._transactions.values()):
            pass

    def _advance(self, transaction: _Transaction) -> bool:
        """Say the next statement, or take the answer to the last one; return whether there was anything to do."""
        if transaction.answer is not None:
            if self._waits(transaction, transaction.answer):
                return False
            self._take(transaction, transaction.answer)
            return True
        if not transaction.said:
            return False
        statement, sql = transaction.said.popleft()
        transaction.index = len(self._performed)
        self._performed.append(Performed(transaction.name, sql, statement))
        asked = f"BEGIN ISOLATION LEVEL {self._level.replace('-', ' ').upper()}" if sql == BEGIN else sql
        transaction.answer = self._performing.executor.submit(transaction.connection.execute, asked)
        return True

    def _waits(self, transaction: _Transaction, answer: _Answer) -> bool:
        """Whether its statement waits for a transaction of the script; otherwise wait until it has ended."""
        deadline = monotonic() + self._performing.patience_seconds
        while not wait([answer], timeout=_POLL_SECONDS).done:
            blockers = self._performing.table.blockers(transaction.pid)
            for other in self._transactions.values():
                if other.pid in blockers:
                    self._note(transaction, blocked_by=other.name)
                    return True
            if monotonic() > deadline:
                raise self._impatient(transaction, blockers)
        return False

    def _take(self, transaction: _Transaction, answer: _Answer) -> None:
        """Note what a statement's answer was."""
        transaction.answer = None
        if self._performed[transaction.index].blocked_by is not None:
            self._note(transaction, went_on_after=self._last_ended)
        error = answer.exception()
        if isinstance(error, SerializationFailure | DeadlockDetected):
            self._note(transaction, sqlstate=error.sqlstate, message=error.diag.message_primary)
            transaction.aborted = True
            transaction.said.clear()
            if transaction.connection.info.transaction_status == TransactionStatus.INERROR:
                transaction.said.append((0, ROLLBACK))
        else:
            cursor = answer.result()
            if cursor.description is not None:
                self._note(transaction, rows=dict(cursor.fetchall()))
            elif cursor.rowcount >= 0:
                self._note(transaction, changed=cursor.rowcount)
        self._last_ended = transaction.index

    def _note(self, transaction: _Transaction, **noted: Any) -> None:
        self._performed[transaction.index] = replace(self._performed[transaction.index], **noted)

    def _await_the_last(self) -> None:
        """Wait for statements that still wait when all is said: for each other, until the database breaks that."""
        while answers := {one.answer: one for one in self._transactions.values() if one.answer is not None}:
            if not wait(answers, self._performing.patience_seconds, FIRST_COMPLETED).done:
                raise self._impatient(next(iter(answers.values())), frozenset())
            self._last_ended = None
            self._go_on()

    def _impatient(self, transaction: _Transaction, blockers: frozenset[int]) -> NotPerformed:
        waits = (
            f"it waits for process {min(blockers)}, which is not of the script: end that" if blockers else "try again"
        )
        return NotPerformed(
            f"{transaction.name} at `{self._performed[transaction.index].sql}`: given no answer within "
            f"{self._performing.patience_seconds:g} s; {waits}"
        )

    def abandon(self) -> None:
        """Leave no statement running and no transaction open, whatever has happened."""
        for transaction in self._transactions.values():
            if transaction.connection.closed:
                continue
            if transaction.answer is not None:
                transaction.connection.cancel_safe()
                wait([transaction.answer])
            if transaction.connection.info.transaction_status != TransactionStatus.IDLE:
                transaction.connection.execute(ROLLBACK)
