"""Recording: the rows of the ledger that one applied posting leaves behind."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connections

from racelab_bank.posting import Applied, Leg

_INSERT_ENTRY = """
INSERT INTO entry (id, leg, leg_count, account, operation, amount_cents, balance_before_cents, balance_after_cents,
    previous, version_before, replica, worker, strategy, snapshot, read_at_microseconds, written_at_microseconds)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""

_INSERT_READ = "INSERT INTO read (entry, account, seen_head) VALUES (%s, %s, %s)"


def now_microseconds() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Row:
    """What an entry records of one leg; None where the database computed the balance.

    `previous` is the head that was read, `version` the version. `snapshot` is set where no balance is kept: what the
    sum of the entries could see.
    """

    leg: Leg
    before_cents: int | None = None
    after_cents: int | None = None
    previous: UUID | None = None
    version: int | None = None
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes the entries of one operation. `alias` is the database alias, `strategy` the name that is recorded."""

    alias: str
    operation: str
    strategy: str

    def record(
        self, entry: UUID, rows: Sequence[Row], reads: Mapping[int, UUID], read_at_microseconds: int | None
    ) -> Applied:
        """Insert one entry per leg, and the heads of the other accounts that were read."""
        written_at = now_microseconds()
        worker = str(os.getpid())
        with connections[self.alias].cursor() as cursor:
            for number, row in enumerate(rows):
                cursor.execute(
                    _INSERT_ENTRY,
                    (entry, number, len(rows), row.leg.account, self.operation, row.leg.amount_cents, row.before_cents,
                     row.after_cents, row.previous, row.version, settings.RACELAB_REPLICA, worker, self.strategy,
                     row.snapshot, read_at_microseconds, written_at),
                )  # fmt: skip
            for account, head in reads.items():
                cursor.execute(_INSERT_READ, (entry, account, head))
        first = next((row for row in rows if row.leg.floored), rows[0])
        return Applied(entry, first.before_cents, first.after_cents)
