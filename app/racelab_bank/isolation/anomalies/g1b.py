"""A transaction reads what another one wrote in between, and not what it wrote in the end.

Adya 1999, phenomenon G1b (intermediate reads); Berenson 1995, P1 (dirty read). PostgreSQL prevents it at every level:
a transaction's versions become visible together, when it commits, and only the last one of each row.

In Django: a loop of `save()` without `atomic()` shows every state that it passes through.

    -- T1  writes 101
    -- T2  reads 10                       where it shows: 101
    -- T1  writes 11; COMMIT
    -- T2  reads 11; COMMIT               above read committed: 10
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("UPDATE test SET value = 101 WHERE id = 1"),
    T2("SELECT * FROM test"),
    T1("UPDATE test SET value = 11 WHERE id = 1"),
    T1(COMMIT),
    T2("SELECT * FROM test"),
    T2(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Snapshot, repeatable_read=Snapshot, serializable=Snapshot)


@anomaly("G1b", "intermediate read", script=SCRIPT, expected=EXPECTED)
def g1b(observed: Observation) -> bool:
    """Judge whether T2 read the value that T1 itself overwrote."""
    return any(rows.get(1) == 101 for rows in observed.reads("T2"))
