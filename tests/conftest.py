"""What every test may use: one real PostgreSQL for the session, and Django configured for it."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.db import connection
from django.db.models.signals import post_migrate

from racelab_operator.platforms.local.postgresql import PostgreSQL

# The socket's directory is fixed here, so that Django can be configured before the server is started (lazily).
_SOCKETS = Path(tempfile.mkdtemp(prefix="rl-test-"))


# At import, not in a hook: conftests below import models.
os.environ["DATABASE_URL"] = f"postgresql://racelab@/racelab?host={_SOCKETS}&port=5432"
os.environ["RACELAB_TOKEN"] = "test-token"
os.environ["RACELAB_REPLICA"] = "bank-test"
os.environ["DJANGO_SETTINGS_MODULE"] = "racelab_bank.settings"
django.setup()

# After every flush Django would make its permissions and content types anew: a tenth of a second per test, for rows
# that a superuser does not need and that Django makes itself when they are asked for.
post_migrate.receivers.clear()


def pytest_unconfigure() -> None:
    """Leave nothing, also when the server was killed with the session."""
    shutil.rmtree(_SOCKETS, ignore_errors=True)


def _truncate_what_is_not_empty(operations: Any, style: Any, tables: Iterable[str], **options: Any) -> Any:
    """Flush as Django does, without the tables that hold nothing: each costs PostgreSQL a new file per index.

    Content types stay: Django remembers their ids.
    """
    wanted = (table for table in tables if table not in {"django_content_type", "auth_permission"})
    looks = " UNION ALL ".join(f"(SELECT '{table}' FROM {operations.quote_name(table)} LIMIT 1)" for table in wanted)
    with operations.connection.cursor() as cursor:
        cursor.execute(looks)
        full = [table for (table,) in cursor.fetchall()]
    return _sql_flush(operations, style, full, **{**options, "allow_cascade": True})


_operations: Any = type(connection.ops)
_sql_flush = _operations.sql_flush
_operations.sql_flush = _truncate_what_is_not_empty


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """One server for the whole session, started when the first test asks for it."""
    with PostgreSQL(tmp_path_factory.mktemp("postgresql") / "data", _SOCKETS, max_connections=100) as server:
        yield server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgresql: PostgreSQL) -> None:
    """Start the server before pytest-django makes the test database."""
