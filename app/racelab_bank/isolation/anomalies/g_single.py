"""A transaction reads one row before another transaction's writes, and another row after them.

Adya 1999, phenomenon G-single (a single anti-dependency); Berenson 1995, A5A (read skew). Shows at read committed,
where every statement takes a snapshot of its own. Above it the snapshot is the transaction's.

In Django: reading two accounts one after the other in `atomic()`, and taking the sum for what there was at any time;
or the same row twice, once for the check and once for the write.

    -- T1  reads the first row: 10
    -- T2  reads both; first row 12, second row 18; COMMIT
    -- T1  reads the second row: 18       above read committed: 20
    -- T1  COMMIT                         shows 10 and 18: together they were never there
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE id = 1"),
    T2("SELECT * FROM test WHERE id = 1"),
    T2("SELECT * FROM test WHERE id = 2"),
    T2("UPDATE test SET value = 12 WHERE id = 1"),
    T2("UPDATE test SET value = 18 WHERE id = 2"),
    T2(COMMIT),
    T1("SELECT * FROM test WHERE id = 2"),
    T1(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Shown, repeatable_read=Snapshot, serializable=Snapshot)


@anomaly("G-single", "read skew", script=SCRIPT, expected=EXPECTED, strategies=("check_then_lock", "f_expression"))
def g_single(observed: Observation) -> bool:
    """Judge whether T1 saw one row without T2's write, and the other with it."""
    return observed.reads("T1") in (({1: 10}, {2: 18}), ({1: 12}, {2: 20}))
