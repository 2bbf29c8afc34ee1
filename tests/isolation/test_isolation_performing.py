"""The performer: what waits is seen, nothing is left behind, and what is not an observation is an error."""

from collections.abc import Callable

import psycopg
import pytest

from racelab_bank.isolation.errors import NotPerformed
from racelab_bank.isolation.notation import listing
from racelab_bank.isolation.performing import performer
from racelab_bank.isolation.scratch import SCHEMA
from racelab_bank.isolation.script import COMMIT, T1, T2, T3, Script, script
from racelab_operator.platforms.local.postgresql import PostgreSQL

Connect = Callable[..., psycopg.Connection]

FIRST, SECOND = "UPDATE test SET value = 0 WHERE id = 1", "UPDATE test SET value = 0 WHERE id = 2"
WRITES = script(T1(FIRST), T1(COMMIT))


def schemas(connect: Connect) -> list[str]:
    with connect() as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchall()
    return [name for (name,) in found]


def test_a_transaction_says_the_rest_when_it_goes_on(connect: Connect) -> None:
    waiting = script(T1(FIRST), T2(FIRST), T2(SECOND), T2(COMMIT), T1("SELECT * FROM test"), T1(COMMIT))
    with performer(connect) as performing:
        observation = performing.perform(waiting, "read-committed")
    assert listing(observation) == (
        "BEGIN;                                   -- T1\n"
        "UPDATE test SET value = 0 WHERE id = 1;  -- T1\n"
        "BEGIN;                                   -- T2\n"
        "UPDATE test SET value = 0 WHERE id = 1;  -- T2, BLOCKS on T1\n"
        "SELECT * FROM test;                      -- T1, shows 1 => 0, 2 => 20\n"
        "COMMIT;                                  -- T1\n"
        "                                         -- T2, now goes on\n"
        "UPDATE test SET value = 0 WHERE id = 2;  -- T2\n"
        "COMMIT;                                  -- T2\n"
        "                                         -- at the end: 1 => 0, 2 => 0"
    )


def test_a_chain_of_waits_is_let_go_link_by_link(connect: Connect) -> None:
    chain = script(T1(FIRST), T2(SECOND), T2(FIRST), T3(SECOND), T1(COMMIT), T2(COMMIT), T3(COMMIT))
    with performer(connect) as performing:
        observation = performing.perform(chain, "read-committed")
    waited = [one for one in observation.performed if one.blocked_by]
    assert [(one.transaction, one.blocked_by) for one in waited] == [("T2", "T1"), ("T3", "T2")]
    assert [observation.performed[one.went_on_after or 0].transaction for one in waited] == ["T1", "T2"]


def test_a_deadlock_is_an_observation(connect: Connect) -> None:
    crossed = script(T1(FIRST), T2(SECOND), T1(SECOND), T2(FIRST), T1(COMMIT), T2(COMMIT))
    with performer(lambda: connect(options="-c deadlock_timeout=100ms")) as performing:
        observation = performing.perform(crossed, "read-committed")
    victims = [one for one in observation.performed if one.sqlstate]
    assert [one.sqlstate for one in victims] == ["40P01"]
    assert victims[0].went_on_after is None
    assert "now goes on, ERROR 40P01: deadlock detected" in listing(observation)
    assert observation.final == {1: 0, 2: 0}


def test_whoever_waits_for_somebody_else_is_not_taken_for_blocked_and_leaves_nothing_open(connect: Connect) -> None:
    with performer(connect, patience_seconds=0.2) as performing, connect() as other:
        performing.table.fill()
        blocks = Script((T1("SELECT pg_advisory_xact_lock(1)"), *WRITES.steps))
        other.execute("SELECT pg_advisory_lock(1)")
        with pytest.raises(
            NotPerformed, match=f"T1 at `SELECT .* within 0.2 s; it waits for process {other.info.backend_pid}"
        ):
            performing.perform(blocks, "read-committed")
        assert performing.perform(WRITES, "read-committed").final == {1: 0, 2: 20}
    assert not schemas(connect)


def test_an_error_that_isolation_does_not_explain_is_raised_and_leaves_nothing_open(connect: Connect) -> None:
    with performer(connect) as performing:
        with pytest.raises(psycopg.errors.UndefinedTable):
            performing.perform(
                script(T1(FIRST), T2(FIRST), T1("SELECT * FROM nowhere"), T1(COMMIT), T2(COMMIT)), "serializable"
            )
        assert performing.perform(WRITES, "serializable").final == {1: 0, 2: 20}
    assert not schemas(connect)


def test_the_defaults_of_the_server_change_nothing(connect: Connect) -> None:
    defaults = "-c default_transaction_isolation=serializable -c default_transaction_read_only=on -c lock_timeout=1ms"
    waiting = script(T1(FIRST), T2(FIRST), T1(COMMIT), T2(COMMIT))
    with performer(lambda: connect(options=defaults)) as performing:
        observation = performing.perform(waiting, "read-committed")
    assert not [one.sqlstate for one in observation.performed if one.sqlstate]
    assert [one.blocked_by for one in observation.performed if one.blocked_by] == ["T1"]


def test_the_schema_is_dropped_at_the_end_and_what_a_killed_run_left_is_made_anew(connect: Connect) -> None:
    with connect() as other:
        with performer(connect) as performing:
            performing.table.fill()
            other.execute(f"CREATE TABLE {SCHEMA}.left_over ()")
            assert schemas(connect)
        assert not schemas(connect)
        other.execute(f"CREATE SCHEMA {SCHEMA}; COMMENT ON SCHEMA {SCHEMA} IS 'scratch of racelab-bank isolation'")
    with performer(connect) as performing:
        assert performing.perform(WRITES, "serializable").final == {1: 0, 2: 20}
    assert not schemas(connect)


def test_a_schema_that_is_not_ours_is_left_alone(connect: Connect) -> None:
    with connect() as other:
        other.execute(f"CREATE SCHEMA {SCHEMA}")
        try:
            with pytest.raises(NotPerformed, match="given one that racelab did not make"), performer(connect):
                pass
            assert schemas(connect)
        finally:
            other.execute(f"DROP SCHEMA {SCHEMA}")


class PooledInfo(psycopg.ConnectionInfo):
    @property
    def backend_pid(self) -> int:
        return super().backend_pid + 1


class Pooled(psycopg.Connection):
    """What a pool gives: a session whose process is not the one that was told at the start."""

    @property
    def info(self) -> psycopg.ConnectionInfo:
        return PooledInfo(self.pgconn)


def test_a_pool_of_connections_is_refused_before_anything_is_made(postgresql: PostgreSQL, connect: Connect) -> None:
    with pytest.raises(NotPerformed, match="given a pool"), performer(lambda: Pooled.connect(postgresql.url)):
        pass
    assert not schemas(connect)


def test_two_at_once_would_be_in_each_other_s_way(connect: Connect) -> None:
    with performer(connect), pytest.raises(NotPerformed, match="another racelab uses it"), performer(connect):
        pass
