"""Two writers would be fine one after the other, but a third transaction, which only reads, has seen the wrong order.

Adya 1999, phenomenon G2, with two anti-dependencies and three transactions; A. Fekete, E. and P. O'Neil, A Read-Only
Transaction Anomaly Under Snapshot Isolation (SIGMOD Record 2004). T1 did not see T2, so it comes before T2; T3 saw T2
and not T1, so it comes after T2 and before T1. Shows at repeatable read too. Serializable aborts T1, though T3 has
committed and has written nothing.

In Django: a report or a backup that runs while a batch that began earlier is still on its way.

    -- T1  reads 10 and 20
    -- T2  adds 5 to the second row; COMMIT
    -- T3  reads 10 and 25; COMMIT
    -- T1  first row 0; COMMIT            shows a state that T3 denies; serializable: 40001
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, expected
from racelab_bank.isolation.script import COMMIT, START, T1, T2, T3, script

SCRIPT = script(
    T1("SELECT * FROM test"),
    T2("UPDATE test SET value = value + 5 WHERE id = 2"),
    T2(COMMIT),
    T3("SELECT * FROM test"),
    T3(COMMIT),
    T1("UPDATE test SET value = 0 WHERE id = 1"),
    T1(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Shown, repeatable_read=Shown, serializable=aborted("T1", 2))


@anomaly("G2", "read-only transaction anomaly", script=SCRIPT, expected=EXPECTED)
def g2_two_edges(observed: Observation) -> bool:
    """Judge whether T1 did not see T2, T3 saw T2 and not T1, and all are there to stay."""
    wrong_order = observed.reads("T1") == (START,) and observed.reads("T3") == ({1: 10, 2: 25},)
    return wrong_order and observed.committed("T1")
