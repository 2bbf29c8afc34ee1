"""Two transactions read a value, each writes what it made of it, and the first one's write is gone.

Berenson 1995, P4 (lost update); in Adya 1999 a case of G-single. Shows at read committed, also though the second write
waits for the first: it then writes what it had computed before. Above read committed it is aborted instead.

In Django: `get()`, then `save()`, with or without `atomic()`; the lab's main subject.

    -- T1  reads 10
    -- T2  reads 10
    -- T1  writes 11
    -- T2  writes 15                      BLOCKS
    -- T1  COMMIT
    -- T2  COMMIT                         shows 15: T1's +1 is lost; above read committed: 40001
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE id = 1"),
    T2("SELECT * FROM test WHERE id = 1"),
    T1("UPDATE test SET value = 11 WHERE id = 1"),
    T2("UPDATE test SET value = 15 WHERE id = 1"),
    T1(COMMIT),
    T2(COMMIT),
)
EXPECTED = expected(
    autocommit=Shown, read_committed=Shown, repeatable_read=aborted("T2", 2), serializable=aborted("T2", 2)
)


@anomaly(
    "P4",
    "lost update",
    script=SCRIPT,
    expected=EXPECTED,
    strategies=(
        "atomic_only",
        "check_constraint",
        "lock_then_stale",
        "read_modify_write",
        "session_lock_released_early",
        "version_check_in_python",
    ),
)
def p4(observed: Observation) -> bool:
    """Judge whether both wrote over the same value that they had read, and both committed."""
    both_read_the_same = observed.reads("T1") == observed.reads("T2") == ({1: 10},)
    return both_read_the_same and observed.committed("T1") and observed.committed("T2")
