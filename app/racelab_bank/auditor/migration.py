"""Keeps the database migrated: at the start, and again when the tables are gone (an emptyDir that came back empty)."""

import logging
import threading
import time

from django.core.management import call_command
from django.db import DatabaseError, connection

from racelab_bank.serving import schema

_LOG = logging.getLogger(__name__)

# Two auditors during a rollout must not migrate at once. The number is ours alone: "rlab" in ASCII.
_ADVISORY_LOCK = 0x726C6162
_LOOK_EVERY_SECONDS = 1.0


def migrate_if_needed() -> bool:
    """Migrate when the newest migration is missing; return whether it was."""
    if not missing():
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        try:
            if missing():
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])
    return True


def missing() -> str | None:
    """Return what the database lacks, in a sentence, or None when it is ready."""
    try:
        connection.ensure_connection()
        return schema.missing_on(connection.connection)
    except DatabaseError as error:
        connection.close()
        return f"the database does not answer: {error}".strip()


def keep_migrated() -> None:
    """Start the thread that migrates and looks again every second, for the process's life."""
    threading.Thread(target=_keep_migrated, name="migrate", daemon=True).start()


def _keep_migrated() -> None:
    said = ""
    while True:
        try:
            migrate_if_needed()
            said = ""
        except Exception as error:  # noqa: BLE001 - whatever failed, the next turn tries again
            connection.close()
            if str(error) != said:
                said = str(error)
                _LOG.warning("cannot migrate the database, trying on: %s", said.strip())
        time.sleep(_LOOK_EVERY_SECONDS)
