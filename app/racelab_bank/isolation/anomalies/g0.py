"""Two transactions write the same two rows, and each ends up with the last word on one of them.

Adya 1999, phenomenon G0 (write cycles); Berenson 1995, P0 (dirty write). A row lock is held until the transaction ends,
so the second writer waits at its first write, and PostgreSQL prevents it at every level. Above read committed the one
that waited is aborted: its snapshot does not hold what it would overwrite.

In Django: two `save()` without `atomic()` are two transactions, and nothing holds them together.

    -- T1  first row 11
    -- T2  first row 12                   BLOCKS
    -- T2  second row 22                  not before T1 has ended
    -- T1  second row 21; COMMIT
    -- T2  COMMIT                         shows 12 and 22; where it shows: 12 and 21
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, blocked, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("UPDATE test SET value = 11 WHERE id = 1"),
    T2("UPDATE test SET value = 12 WHERE id = 1"),
    T2("UPDATE test SET value = 22 WHERE id = 2"),
    T1("UPDATE test SET value = 21 WHERE id = 2"),
    T1(COMMIT),
    T2(COMMIT),
)
EXPECTED = expected(
    autocommit=Shown, read_committed=blocked("T2", 1), repeatable_read=aborted("T2", 1), serializable=aborted("T2", 1)
)


@anomaly("G0", "dirty write", script=SCRIPT, expected=EXPECTED)
def g0(observed: Observation) -> bool:
    """Judge whether the two rows hold the values of different transactions."""
    return (observed.final[1], observed.final[2]) in {(11, 22), (12, 21)}
