"""Two transactions ask for rows by a condition, find none, and each inserts one that satisfies it.

Adya 1999, phenomenon G2 (anti-dependency cycles, here on predicates); Berenson 1995 has it as a constraint broken by
phantoms (P3). Shows at repeatable read too: there is no row that both could collide on. Serializable locks the
condition itself, and aborts one.

In Django: `if not filter(…).exists(): create(…)`, `get_or_create` without a unique constraint, a sum before an insert.

    -- T1  reads where value % 3 = 0      shows nothing
    -- T2  reads where value % 3 = 0      shows nothing
    -- T1  inserts 30
    -- T2  inserts 42
    -- T1  COMMIT
    -- T2  COMMIT                         shows 30 and 42; serializable: 40001
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, aborted, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE value % 3 = 0"),
    T2("SELECT * FROM test WHERE value % 3 = 0"),
    T1("INSERT INTO test (id, value) VALUES (3, 30)"),
    T2("INSERT INTO test (id, value) VALUES (4, 42)"),
    T1(COMMIT),
    T2(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Shown, repeatable_read=Shown, serializable=aborted("T2", 3))


@anomaly(
    "G2",
    "write skew (predicates)",
    script=SCRIPT,
    expected=EXPECTED,
    strategies=("append_only", "get_or_create", "select_then_insert"),
)
def g2(observed: Observation) -> bool:
    """Judge whether both found nothing, and both rows are there."""
    return observed.reads("T1") == observed.reads("T2") == ({},) and {3, 4} <= observed.final.keys()
