"""`racelab-bank isolation` on the session's PostgreSQL."""

from dataclasses import replace
from types import MappingProxyType

import psycopg
import pytest
from click.testing import CliRunner, Result

from racelab_bank.isolation import comparison
from racelab_bank.isolation.anomalies import anomalies
from racelab_bank.isolation.cli import isolation
from racelab_bank.isolation.outcome import Shown
from racelab_bank.isolation.scratch import SCHEMA
from racelab_operator.platforms.local.postgresql import PostgreSQL


def run(*arguments: str, url: str = "") -> Result:
    return CliRunner().invoke(isolation, arguments, env={"DATABASE_URL": url})


def test_it_prints_what_shows_where(postgresql: PostgreSQL) -> None:
    done = run("--database-url", postgresql.url)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["anomaly", "autocommit", "read-committed", "repeatable-read", "serializable"]
    [lost] = [line for line in lines if line.startswith("P4")]
    assert lost.split(maxsplit=5)[3:5] == ["shown", "shown"]
    assert lost.endswith("40001 at T2's UPDATE  40001 at T2's UPDATE")
    assert len(lines) == 1 + len(anomalies()) + 1 + 4 + 1 + 1
    assert max(map(len, lines)) <= 120
    assert lines[-1].endswith(": all 56 are as expected")
    with psycopg.connect(postgresql.url) as connection:
        version = connection.execute("SHOW server_version").fetchone()
        assert version is not None
        assert lines[-1].startswith(f"PostgreSQL {version[0]}: ")


def test_the_environment_names_the_database_as_well(postgresql: PostgreSQL) -> None:
    assert run(url=postgresql.url).exit_code == 0


def test_whatever_is_not_as_expected_is_told_with_its_script(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = anomalies()["p4"]
    wrong = replace(lost, expected={**lost.expected, "serializable": Shown})
    monkeypatch.setattr(comparison, "anomalies", lambda: MappingProxyType({**anomalies(), "p4": wrong}))
    done = run(url=postgresql.url)
    assert done.exit_code == 1
    assert "P4 lost update at serializable: expected shown, observed 40001 at T2's UPDATE\nBEGIN; " in done.stdout
    assert "T2, now goes on, ERROR 40001" in done.stdout
    assert "1 of 56 are not as expected" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--database-url: given nothing, allowed a libpq URI such as postgresql:///racelab; or set DATABASE_URL"),
        (["--database-url", "sqlite"], "--database-url: given no libpq URI (missing"),
        (["--database-url", "postgresql:///x?nonsense=1"], "--database-url: given no libpq URI (invalid"),
        (["--level", "serializable"], "No such option"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_database_that_is_not_there_is_told(tmp_path: object) -> None:
    done = run("--database-url", f"postgresql:///racelab?host={tmp_path}")
    assert done.exit_code == 3
    assert "the database cannot be reached: " in done.stderr
    assert "check --database-url (DATABASE_URL), and that it runs" in done.stderr
    assert done.stdout == ""


def test_a_user_who_may_not_make_a_schema_is_told(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE isolation_reader LOGIN")
        try:
            done = run(url=postgresql.url.replace("//racelab@", "//isolation_reader@"))
        finally:
            connection.execute("DROP ROLE isolation_reader")
    assert done.exit_code == 3
    assert "permission denied for database racelab: GRANT CREATE ON DATABASE to this user" in done.stderr


def test_a_schema_in_the_way_is_told(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        try:
            done = run(url=postgresql.url)
        finally:
            connection.execute(f"DROP SCHEMA {SCHEMA}")
    assert done.exit_code == 3
    assert "rename it, or use another database" in done.stderr


REFUSING = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no schemas here'; END $$;
CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION refuse();
"""


def test_a_database_with_rules_of_its_own_is_told(postgresql: PostgreSQL) -> None:
    refusing = postgresql.url.replace("/racelab?", "/isolation_refusing?")
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE isolation_refusing")
        try:
            with psycopg.connect(refusing, autocommit=True) as other:
                other.execute(REFUSING)
            done = run(url=refusing)
        finally:
            connection.execute("DROP DATABASE isolation_refusing")
    assert done.exit_code == 3
    assert "the scripts cannot be performed on this database: no schemas here" in done.stderr


def test_the_help_says_what_it_makes_and_how_it_ends() -> None:
    done = run("--help")
    assert done.exit_code == 0
    assert "racelab_hermitage" in done.stdout
    assert "Exit codes:" in done.stdout
