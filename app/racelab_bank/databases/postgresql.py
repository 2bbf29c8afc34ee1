"""PostgreSQL: isolation aliases, the trigger that records the version order, and what its error codes mean."""

from typing import Any, Final

from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict

#: Isolation level by the name used in the API, and the Django database alias whose transactions have it.
ALIASES: Final = {
    "read-committed": "default",
    "repeatable-read": "repeatable_read",
    "serializable": "serializable",
}

_LEVELS: Final = {
    "default": IsolationLevel.READ_COMMITTED,
    "repeatable_read": IsolationLevel.REPEATABLE_READ,
    "serializable": IsolationLevel.SERIALIZABLE,
}

#: Raised by our own trigger: nothing is installed on the accounts of a closed run.
RUN_CLOSED: Final = "RL410"

# lock_not_available, check_violation, unique_violation: the database says no for a reason that trying again may not
# change.
_REFUSALS: Final = {
    "55P03": "another operation holds the account's lock",
    "23514": "a constraint of the account",
    "23505": "the owner has an account already",
}

# serialization_failure and deadlock_detected: nothing was written, and the caller may try again.
_CONFLICTS: Final = frozenset({"40001", "40P01"})


def database_aliases(url: str) -> dict[str, dict[str, Any]]:
    """Django `DATABASES` for a libpq URI: one alias per isolation level, connections kept for the process's life.

    The level is an option of the connection, never the server's default, so it holds on any server.
    """
    parts = conninfo_to_dict(url)
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    common = {django: str(parts.pop(libpq, "") or "") for libpq, django in known.items()}
    return {
        alias: {
            "ENGINE": "django.db.backends.postgresql",
            **common,
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": False,
            "OPTIONS": {
                "connect_timeout": 5,
                "application_name": f"racelab {alias}",
                **parts,
                "isolation_level": level,
            },
        }
        for alias, level in _LEVELS.items()
    }


def sqlstate(error: BaseException) -> str | None:
    """Return the five-character SQLSTATE behind a Django or psycopg database error, or None."""
    found = getattr(error.__cause__ or error, "sqlstate", None)
    return found if isinstance(found, str) else None


def is_conflict(error: BaseException) -> bool:
    """Whether the database aborted the transaction because of a concurrent one."""
    return sqlstate(error) in _CONFLICTS


def refusal(error: BaseException) -> str | None:
    """Return why the database refused the operation for good, or None when it did not."""
    return _REFUSALS.get(sqlstate(error) or "")


def is_run_closed(error: BaseException) -> bool:
    """Whether the write was refused because the account's run is closed."""
    return sqlstate(error) == RUN_CLOSED


#: The current transaction's id, 64 bits: never reused, so rows can be ordered against a horizon.
CURRENT_TRANSACTION: Final = "pg_current_xact_id"

#: Every transaction below this one has ended: rows it wrote are visible or will never be.
HORIZON: Final = "pg_snapshot_xmin(pg_current_snapshot())"

TRIGGERS: Final = f"""
CREATE FUNCTION racelab_refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the run of account % is closed', OLD.id USING ERRCODE = '{RUN_CLOSED}';
END $$;

CREATE TRIGGER refuse_closed BEFORE UPDATE ON account FOR EACH ROW
    WHEN (OLD.closed) EXECUTE FUNCTION racelab_refuse_closed();

CREATE FUNCTION racelab_record_install() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO install (account, old_head, new_head, old_balance_cents, new_balance_cents)
        VALUES (NEW.id, NULL, NEW.head, NEW.opening_cents, NEW.balance_cents);
    ELSE
        INSERT INTO install (account, old_head, new_head, old_balance_cents, new_balance_cents)
        VALUES (NEW.id, OLD.head, NEW.head, OLD.balance_cents, NEW.balance_cents);
    END IF;
    RETURN NULL;
END $$;

-- Fires under the row lock: per account, the sequence is the true version order, whatever the application believes.
CREATE TRIGGER record_install AFTER UPDATE ON account FOR EACH ROW
    WHEN (OLD.head IS DISTINCT FROM NEW.head OR OLD.balance_cents IS DISTINCT FROM NEW.balance_cents)
    EXECUTE FUNCTION racelab_record_install();

-- An account that a request creates with its first deposit in it.
CREATE TRIGGER record_first_install AFTER INSERT ON account FOR EACH ROW
    WHEN (NEW.balance_cents <> NEW.opening_cents) EXECUTE FUNCTION racelab_record_install();

CREATE FUNCTION racelab_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION racelab_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON install FOR EACH ROW EXECUTE FUNCTION racelab_append_only();
"""  # noqa: S608 - the one value put in is our own error code

DROP_TRIGGERS: Final = """
DROP TRIGGER append_only ON install;
DROP TRIGGER append_only ON entry;
DROP TRIGGER record_first_install ON account;
DROP TRIGGER record_install ON account;
DROP TRIGGER refuse_closed ON account;
DROP FUNCTION racelab_append_only();
DROP FUNCTION racelab_record_install();
DROP FUNCTION racelab_refuse_closed();
"""

#: No request opens an account in a run that is closed. The lock on the run makes closing wait for those before it.
OPENING_TRIGGER: Final = f"""
CREATE FUNCTION racelab_refuse_opening() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed timestamptz;
BEGIN
    SELECT closed_at INTO closed FROM run WHERE id = NEW.run_id FOR KEY SHARE;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'the run of this account is closed' USING ERRCODE = '{RUN_CLOSED}';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER refuse_opening BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION racelab_refuse_opening();
"""  # noqa: S608 - the one value put in is our own error code

DROP_OPENING_TRIGGER: Final = """
DROP TRIGGER refuse_opening ON account;
DROP FUNCTION racelab_refuse_opening();
"""
