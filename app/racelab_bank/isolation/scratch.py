"""The scratch table, in a schema of its own, and the connection that looks on: what waits for whom, what is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import psycopg

from racelab_bank.isolation.errors import NotPerformed
from racelab_bank.isolation.observation import Rows

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

#: Opens one more connection to the same database, straight to PostgreSQL: a pool that deals out sessions will not do.
Connect: TypeAlias = Callable[[], Connection]

SCHEMA: Final = "racelab_hermitage"
TABLE: Final = "CREATE TABLE test (id int PRIMARY KEY, value int)"
FILL: Final = "INSERT INTO test (id, value) VALUES (1, 10), (2, 20)"  # as script.START

# By this a schema is known as ours, which a run that was killed has left behind: it may be dropped.
_MARK: Final = "scratch of racelab-bank isolation"
_LOCK: Final = int.from_bytes(b"racelab", "big")

# The server's or the user's own defaults must not change what a script shows.
_SETTINGS: Final = f"""
SET search_path = {SCHEMA};
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE, NOT DEFERRABLE;
SET lock_timeout = 0;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0
"""


class Scratch:
    """The table `test`, seen by a connection that takes part in no script."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def version(self) -> str:
        """The server's version, such as `18.1`."""
        return (self._connection.info.parameter_status("server_version") or "").partition(" ")[0]

    def fill(self) -> None:
        """Make the table anew: no statistics, no old versions, no locks of an earlier script."""
        self._connection.execute(f"DROP TABLE IF EXISTS {SCHEMA}.test; {TABLE} WITH (autovacuum_enabled = off); {FILL}")

    def rows(self) -> Rows:
        """Return what is committed."""
        return dict(self._connection.execute("SELECT id, value FROM test ORDER BY id").fetchall())

    def blockers(self, pid: int) -> frozenset[int]:
        """Return the server processes for whose locks that one waits."""
        row = self._connection.execute("SELECT pg_blocking_pids(%s)", [pid]).fetchone()
        return frozenset(row[0] if row else ())


def prepare(connection: Connection) -> None:
    """Make a connection one that autocommits, sees only the scratch schema, and has none of the server's own defaults.

    Raises `NotPerformed` when it leads to a pool: a pool may say each statement on another session, and there `test`
    could be a table of somebody's.
    """
    connection.autocommit = True
    connection.prepare_threshold = None
    if connection.execute("SELECT pg_backend_pid()").fetchone() != (connection.info.backend_pid,):
        raise NotPerformed("the database: given a pool of connections, allowed PostgreSQL itself; use its own address")
    connection.execute(_SETTINGS)


@contextmanager
def scratch(connect: Connect) -> Iterator[Scratch]:
    """Make the schema, and drop it at the end.

    Raises `NotPerformed` when another process uses it, when there is one of its name that is not racelab's, and as
    `prepare` does; `psycopg.Error` when the database cannot be reached or does not let this user make a schema.
    """
    with connect() as connection:
        prepare(connection)
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
            raise NotPerformed(
                f"schema {SCHEMA}: another racelab uses it on this database; try again when it has ended"
            )
        try:
            _clear(connection)
            connection.execute(f"CREATE SCHEMA {SCHEMA}; COMMENT ON SCHEMA {SCHEMA} IS '{_MARK}'")
            try:
                yield Scratch(connection)
            finally:
                connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
        finally:
            # Closing the connection frees it too, but only when the server has noticed.
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _clear(connection: Connection) -> None:
    """Drop the schema that a killed run has left, and nobody else's."""
    found = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", [SCHEMA]
    ).fetchone()
    if found == (_MARK,):
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    elif found is not None:
        raise NotPerformed(f"schema {SCHEMA}: given one that racelab did not make; rename it, or use another database")
