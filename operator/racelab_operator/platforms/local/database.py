"""How many connections a lab needs, and whether a database that the user named can give them."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from racelab_operator.platforms.local.errors import WRONG_USE, LabError

CONNECTIONS_PER_WORKER: Final = 3
"""One for each isolation level."""
AUDITOR_THREADS: Final = 8
SPARE_CONNECTIONS: Final = 10
"""The auditor's beside its threads: one that migrates, two that look for the live page, six of three races on it."""
ROOM: Final = 32
"""What the lab's own server offers beyond the need: for psql, `racelab drift` and replicas that are just leaving."""
CONNECT_SECONDS: Final = 5


def connections_needed(replicas: int, workers: int) -> int:
    """Return how many connections the lab's programs may hold together."""
    return replicas * workers * CONNECTIONS_PER_WORKER + AUDITOR_THREADS + SPARE_CONNECTIONS


def check_connections(replicas: int, workers: int, maximum: int) -> None:
    """LabError when a server allows fewer connections than the lab may need."""
    needed = connections_needed(replicas, workers)
    if needed > maximum:
        raise LabError(
            f"{replicas} replicas × {workers} workers × {CONNECTIONS_PER_WORKER} + {AUDITOR_THREADS} auditor threads + "
            f"{SPARE_CONNECTIONS} need {needed} connections, but the database allows {maximum} (max_connections): "
            "use fewer replicas or workers, or allow more there",
            WRONG_USE,
        )


def check_database(url: str, replicas: int, workers: int) -> None:
    """LabError when the database does not answer, is not PostgreSQL, or allows too few connections."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        # Neither the URL nor the library's words, which repeat it, are shown: it may hold a password.
        raise LabError(
            "DATABASE_URL: given something that is no PostgreSQL address, "
            "allowed postgresql://USER:PASSWORD@HOST:PORT/NAME",
            WRONG_USE,
        ) from None
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            row = connection.execute("SHOW max_connections").fetchone()
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise LabError(
            f"the database of DATABASE_URL does not answer: {words}; start it, or leave DATABASE_URL out"
        ) from error
    check_connections(replicas, workers, int(row[0]) if row else 0)


def server_version(url: str) -> str | None:
    """Ask a database for its version, such as `18.1`; None when it does not answer."""
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            row = connection.execute("SHOW server_version").fetchone()
    except psycopg.Error:
        return None
    return str(row[0]) if row else None
