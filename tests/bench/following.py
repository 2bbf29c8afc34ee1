"""Fills a ledger and follows it: `python -m bench.following SIZE…`, with DATABASE_URL set. Prints a line of JSON."""

import json
import sys
import time
from statistics import median
from uuid import uuid4

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - Django must be set up first
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from racelab_bank.auditor import auditing, rows, runs  # noqa: E402
from racelab_bank.models import Run  # noqa: E402

ROUNDS = 15
NEW = 500  # each with its install: 1,000 rows

# The bank's triggers write installs one by one; what is measured is the reading, so both are written in one go here.
_FILL = """
WITH made AS (
    SELECT gen_random_uuid() AS id, number, ids[1 + number %% cardinality(ids)] AS account
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) number, (SELECT %(accounts)s::bigint[] AS ids) accounts
), chained AS (
    SELECT *, lag(id) OVER (PARTITION BY account ORDER BY number) AS before,
        row_number() OVER (PARTITION BY account ORDER BY number) AS place
    FROM made
), based AS (
    SELECT c.*, coalesce(c.before, a.head) AS old_head, a.balance_cents + (c.place - 1) * 100 AS old_cents
    FROM chained c JOIN account a ON a.id = c.account
), entered AS (
    INSERT INTO entry (id, leg, leg_count, account, operation, amount_cents, balance_before_cents, balance_after_cents,
        previous, version_before, replica, worker, strategy, read_at_microseconds, written_at_microseconds)
    SELECT id, 0, 1, account, 'operation-' || number, 100, old_cents, old_cents + 100, old_head, number, 'bank-0', '1',
        'bench', number, number + 1 FROM based ORDER BY number
)
INSERT INTO install (account, old_head, new_head, old_balance_cents, new_balance_cents)
SELECT account, old_head, id, old_cents, old_cents + 100 FROM based ORDER BY number
"""
# The account must say what its last install says; the trigger would record that again.
_SETTLE = """
ALTER TABLE account DISABLE TRIGGER record_install;
UPDATE account a SET head = last.new_head, balance_cents = last.new_balance_cents
FROM (SELECT DISTINCT ON (account) account, new_head, new_balance_cents FROM install
    WHERE sequence > %(after)s ORDER BY account, sequence DESC) last
WHERE a.id = last.account;
ALTER TABLE account ENABLE TRIGGER record_install;
"""


def fill(run: Run, accounts: list[int], first: int, last: int) -> None:
    """Write entries `first` to `last` with their installs, in one transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(sequence), 0) FROM install")
        (after,) = cursor.fetchone() or (0,)
        cursor.execute(_FILL, {"first": first, "last": last, "accounts": accounts})
        cursor.execute(_SETTLE, {"after": after})


def main(sizes: list[int]) -> None:
    """Measure at each size."""
    call_command("migrate", verbosity=0)
    asked = runs.RunRequest(
        scenario="deposit", strategy="row_lock", isolation="read-committed", accounts=100, generators=1
    )
    run, _ = runs.open_run(f"bench-{uuid4()}", asked)
    run = Run.objects.get(pk=run.pk)
    accounts = list(run.account_set.order_by("pk").values_list("pk", flat=True))
    processor, clock, scrape, page = {}, {}, {}, {}
    client = Client()
    written = 0
    for size in sizes:
        while written < size:
            step = min(50_000, size - written)
            fill(run, accounts, written + 1, written + step)
            written += step
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE entry")
            cursor.execute("VACUUM ANALYZE install")
        auditing.audit_run(run)
        taken = []
        for _ in range(ROUNDS):
            fill(run, accounts, written + 1, written + NEW)
            written += NEW
            began, begin = time.perf_counter(), time.process_time()
            told = auditing.audit_run(run)
            taken.append((time.process_time() - begin, time.perf_counter() - began))
            assert told["entries"] == written, (told["entries"], written)
            assert told["drift_cents"] == 0
        processor[size] = median(one for one, _ in taken) * 1000
        clock[size] = median(one for _, one in taken) * 1000
        scrape[size] = _milliseconds(client, "/metrics")
        page[size] = _milliseconds(client, f"/runs/{run.key}")
    began = time.perf_counter()
    with rows.snapshot():
        history = rows.history(run)
    loaded = written / (time.perf_counter() - began)
    assert len(history.entries) == written
    found = {"processor": processor, "clock": clock, "scrape": scrape, "page": page}
    print(json.dumps({**found, "load_per_second": loaded}))


def _milliseconds(client: Client, path: str) -> float:
    """Return how long an answer takes, the median of many."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, (path, answer.status_code)
    return median(taken) * 1000


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]])
