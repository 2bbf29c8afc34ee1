"""A transaction asks for rows by one condition, then by another, and finds the same row changed in between.

Adya 1999, phenomenon G-single, with conditions (predicates) in place of named rows. Shows at read committed, where
every statement takes a snapshot of its own. Above it the snapshot is the transaction's.

In Django: a report that lists the open orders and then the closed ones, and has one order in both, or in neither.

    -- T1  reads where value % 5 = 0      shows 10 and 20
    -- T2  12 where value = 10; COMMIT
    -- T1  reads where value % 3 = 0      shows 12; above read committed: nothing
    -- T1  COMMIT
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE value % 5 = 0"),
    T2("UPDATE test SET value = 12 WHERE value = 10"),
    T2(COMMIT),
    T1("SELECT * FROM test WHERE value % 3 = 0"),
    T1(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Shown, repeatable_read=Snapshot, serializable=Snapshot)


@anomaly("G-single", "read skew (predicates)", script=SCRIPT, expected=EXPECTED)
def g_single_predicate(observed: Observation) -> bool:
    """Judge whether T1 saw the first row without T2's write, and then with it."""
    seen = [rows[1] for rows in observed.reads("T1") if 1 in rows]
    return seen == [10, 12]
