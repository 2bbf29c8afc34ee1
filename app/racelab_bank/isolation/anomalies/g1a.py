"""A transaction reads what another one wrote and then rolled back: a value that never was.

Adya 1999, phenomenon G1a (aborted reads); Berenson 1995, A1 (dirty read). PostgreSQL prevents it at every level, and
without any waiting: a reader gets the committed version, however many newer ones are on their way.

In autocommit there is nothing left to roll back: the ROLLBACK is left out, and everybody goes on with 101.

In Django: code without `atomic()` that takes a write back by a second write has shown it to everybody in between.

    -- T1  writes 101
    -- T2  reads 10                       where it shows: 101
    -- T1  ROLLBACK
    -- T2  reads 10; COMMIT
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, expected
from racelab_bank.isolation.script import COMMIT, ROLLBACK, T1, T2, script

SCRIPT = script(
    T1("UPDATE test SET value = 101 WHERE id = 1"),
    T2("SELECT * FROM test"),
    T1(ROLLBACK),
    T2("SELECT * FROM test"),
    T2(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Snapshot, repeatable_read=Snapshot, serializable=Snapshot)


@anomaly("G1a", "aborted read", script=SCRIPT, expected=EXPECTED)
def g1a(observed: Observation) -> bool:
    """Judge whether T2 read the value that T1 rolled back."""
    return any(rows.get(1) == 101 for rows in observed.reads("T2"))
