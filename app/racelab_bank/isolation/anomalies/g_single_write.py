"""A transaction reads a row before another transaction's writes, and its own write looks for rows after them.

Adya 1999, phenomenon G-single, with a write that has the condition. Shows at read committed, where the write looks at
what is committed by then. Above it the transaction is aborted: the row that its snapshot holds was changed.

In Django: a decision taken from `get()`, and then a `filter(…).delete()` in the same `atomic()` that no longer fits it.

    -- T1  reads the first row: 10
    -- T2  reads both; first row 12, second row 18; COMMIT
    -- T1  deletes where value = 20       deletes nothing; above read committed: 40001
    -- T1  COMMIT                         shows 10 read, and no 20 to be found: never true together
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE id = 1"),
    T2("SELECT * FROM test"),
    T2("UPDATE test SET value = 12 WHERE id = 1"),
    T2("UPDATE test SET value = 18 WHERE id = 2"),
    T2(COMMIT),
    T1("DELETE FROM test WHERE value = 20"),
    T1(COMMIT),
)
EXPECTED = expected(
    autocommit=Shown, read_committed=Shown, repeatable_read=aborted("T1", 2), serializable=aborted("T1", 2)
)


@anomaly("G-single", "read skew (write)", script=SCRIPT, expected=EXPECTED)
def g_single_write(observed: Observation) -> bool:
    """Judge whether T1 read without T2's writes, and deleted with them."""
    return observed.reads("T1") == ({1: 10},) and observed.changed("T1") == (0,) and observed.committed("T1")
