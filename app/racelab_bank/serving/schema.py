"""Whether the database has the tables that this version needs. Uses psycopg alone, so that probes stay cheap."""

from functools import cache
from pathlib import Path

import psycopg

MIGRATIONS = Path(__file__).parent.parent / "migrations"


@cache
def latest_migration() -> str:
    """Return the name of the newest migration of the bank."""
    return max(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def missing(url: str) -> str | None:
    """Return what the database at `url` lacks, in a sentence, or None when it is ready."""
    try:
        with psycopg.connect(url, connect_timeout=2, autocommit=True) as connection:
            return missing_on(connection)
    except psycopg.Error as error:
        return f"the database does not answer: {error}".strip()


def missing_on(connection: "psycopg.Connection[tuple[object, ...]]") -> str | None:
    """Return what the connected database lacks, in a sentence, or None when it is ready."""
    try:
        found = connection.execute(
            "SELECT 1 FROM django_migrations WHERE app = 'racelab_bank' AND name = %s", [latest_migration()]
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        found = None
    return None if found else "the auditor has not migrated the database yet"
