"""What every test may use: one real PostgreSQL for the session, and Django configured for it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

from racelab_operator.platforms.local.postgresql import PostgreSQL

# The socket's directory is fixed here, so that Django can be configured before the server is started (lazily).
_SOCKETS = Path(tempfile.mkdtemp(prefix="rl-test-"))


# At import, not in a hook: conftests below import models.
os.environ["DATABASE_URL"] = f"postgresql://racelab@/racelab?host={_SOCKETS}&port=5432"
os.environ["RACELAB_TOKEN"] = "test-token"
os.environ["RACELAB_REPLICA"] = "bank-test"
os.environ["DJANGO_SETTINGS_MODULE"] = "racelab_bank.settings"
django.setup()


def pytest_unconfigure() -> None:
    """Leave nothing, also when the server was killed with the session."""
    shutil.rmtree(_SOCKETS, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """One server for the whole session, started when the first test asks for it."""
    with PostgreSQL(tmp_path_factory.mktemp("postgresql") / "data", _SOCKETS, max_connections=100) as server:
        yield server


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgresql: PostgreSQL) -> None:
    """Start the server before pytest-django makes the test database."""
