"""Two transactions read the same two rows, and each writes the one that the other does not.

Adya 1999, phenomenon G2-item (anti-dependency cycles on rows); Berenson 1995, A5B (write skew). Shows at repeatable
read too, which in PostgreSQL is snapshot isolation: the two write no common row, so nothing collides. Serializable sees
that each overwrote what the other had read, and aborts one.

In Django: checking two balances together and then lowering one of them, each request another one.

    -- T1  reads 10 and 20
    -- T2  reads 10 and 20
    -- T1  first row 11
    -- T2  second row 21
    -- T1  COMMIT
    -- T2  COMMIT                         shows 11 and 21; serializable: 40001
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, expected
from racelab_bank.isolation.script import COMMIT, START, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE id IN (1, 2)"),
    T2("SELECT * FROM test WHERE id IN (1, 2)"),
    T1("UPDATE test SET value = 11 WHERE id = 1"),
    T2("UPDATE test SET value = 21 WHERE id = 2"),
    T1(COMMIT),
    T2(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Shown, repeatable_read=Shown, serializable=aborted("T2", 3))


@anomaly("G2-item", "write skew", script=SCRIPT, expected=EXPECTED, strategies=("joint_read",))
def g2_item(observed: Observation) -> bool:
    """Judge whether both read what was there before, and both committed their write."""
    neither_saw_the_other = observed.reads("T1") == observed.reads("T2") == (START,)
    return neither_saw_the_other and observed.committed("T1") and observed.committed("T2")
