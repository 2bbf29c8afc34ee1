"""A write misses rows that satisfy its condition, before it and after it.

Bailis et al. 2014, PMP (predicate-many-preceders), with a write that has the condition; the example is that of
PostgreSQL's own manual, chapter Transaction Isolation. Shows at read committed: T2 finds the second row by its old
value and waits for it; when T1 has committed, only this row is looked at again, with its new value, and the first row,
which by now has the value, was never found. Above read committed T2 is aborted. In autocommit it does not show in this
script, which lets each statement end before the next; two that really overlap behave as at read committed.

In Django: `filter(value=20).delete()` or `.update()` may leave a row with that value behind, without any error.

    -- T1  adds 10 to all: 20 and 30
    -- T2  deletes where value = 20       BLOCKS
    -- T1  COMMIT
    -- T2  deletes nothing                above read committed: 40001
    -- T2  reads where value = 20         shows the first row
    -- T2  COMMIT
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, aborted, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("UPDATE test SET value = value + 10"),
    T2("DELETE FROM test WHERE value = 20"),
    T1(COMMIT),
    T2("SELECT * FROM test WHERE value = 20"),
    T2(COMMIT),
)
EXPECTED = expected(
    autocommit=Snapshot, read_committed=Shown, repeatable_read=aborted("T2", 1), serializable=aborted("T2", 1)
)


@anomaly("PMP", "predicate-many-preceders (write)", script=SCRIPT, expected=EXPECTED)
def pmp_write(observed: Observation) -> bool:
    """Judge whether a row is still there that T2 should have deleted."""
    return any(20 in rows.values() for rows in observed.reads("T2"))
