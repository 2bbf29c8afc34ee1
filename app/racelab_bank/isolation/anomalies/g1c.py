"""Two transactions each read what the other one wrote: each would have to come after the other.

Adya 1999, phenomenon G1c (circular information flow). PostgreSQL prevents it at every level: neither sees what is not
committed. What is left is that each read what the other one overwrote, which is a write skew (G2-item); serializable
aborts one of the two for that.

In Django: two views without `atomic()` that write first and then look at each other's row.

    -- T1  first row 11
    -- T2  second row 22
    -- T1  reads the second row: 20       where it shows: 22
    -- T2  reads the first row: 10        where it shows: 11
    -- T1  COMMIT
    -- T2  COMMIT                         serializable: 40001
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, aborted, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("UPDATE test SET value = 11 WHERE id = 1"),
    T2("UPDATE test SET value = 22 WHERE id = 2"),
    T1("SELECT * FROM test WHERE id = 2"),
    T2("SELECT * FROM test WHERE id = 1"),
    T1(COMMIT),
    T2(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Snapshot, repeatable_read=Snapshot, serializable=aborted("T2", 3))


@anomaly("G1c", "circular information flow", script=SCRIPT, expected=EXPECTED)
def g1c(observed: Observation) -> bool:
    """Judge whether each read the other's value."""
    return observed.reads("T1") == ({2: 22},) and observed.reads("T2") == ({1: 11},)
