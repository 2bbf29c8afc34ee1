"""A transaction has seen what another one wrote, and then sees a row as it was before that.

Bailis et al. 2014, OTV (observed transaction vanishes); what their monotonic atomic view forbids. PostgreSQL prevents
it at every level: T2 must wait for T1, and both of T2's rows become visible at once, with its commit. Above read
committed T3 keeps the snapshot of its first read, and T2 is aborted, since it waited.

In Django: two `save()` without `atomic()`, and a reader that gets the one and not the other.

    -- T1  first row 11; second row 19
    -- T2  first row 12                   BLOCKS
    -- T1  COMMIT
    -- T3  reads the first row: 11        where it shows: 12,
    -- T3  reads the second row: 19       and then still 19
    -- T2  second row 18; COMMIT
    -- T3  reads 18 and 12; COMMIT        above read committed: 19 and 11
"""

from itertools import pairwise

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, blocked, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, T3, script

SCRIPT = script(
    T1("UPDATE test SET value = 11 WHERE id = 1"),
    T1("UPDATE test SET value = 19 WHERE id = 2"),
    T2("UPDATE test SET value = 12 WHERE id = 1"),
    T1(COMMIT),
    T3("SELECT * FROM test WHERE id = 1"),
    T3("SELECT * FROM test WHERE id = 2"),
    T2("UPDATE test SET value = 18 WHERE id = 2"),
    T3("SELECT * FROM test WHERE id = 2"),
    T2(COMMIT),
    T3("SELECT * FROM test WHERE id = 2"),
    T3("SELECT * FROM test WHERE id = 1"),
    T3(COMMIT),
)
EXPECTED = expected(
    autocommit=Shown, read_committed=blocked("T2", 1), repeatable_read=aborted("T2", 1), serializable=aborted("T2", 1)
)

# Who wrote a value, in the order in which the writers come: 0 is what was there.
WRITER = {10: 0, 20: 0, 11: 1, 19: 1, 12: 2, 18: 2}


@anomaly("OTV", "observed transaction vanishes", script=SCRIPT, expected=EXPECTED)
def otv(observed: Observation) -> bool:
    """Judge whether T3 read a value older than a writer that it had seen already."""
    writers = [WRITER[value] for rows in observed.reads("T3") for value in rows.values()]
    return any(later < earlier for earlier, later in pairwise(writers))
