"""A performer on the session's PostgreSQL."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from racelab_bank.isolation.performing import Performer, performer
from racelab_operator.platforms.local.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def performing(postgresql: PostgreSQL) -> Iterator[Performer]:
    """Connections and the scratch table, for the tests of one module."""
    with performer(lambda: psycopg.connect(postgresql.url)) as one:
        yield one


@pytest.fixture
def connect(postgresql: PostgreSQL) -> Callable[..., psycopg.Connection]:
    """Open a connection of one's own, with libpq parameters."""
    return lambda **parameters: psycopg.connect(postgresql.url, autocommit=True, **parameters)
