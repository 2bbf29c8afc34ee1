"""A transaction asks twice for the rows that satisfy a condition, and a row has come in between.

Bailis et al. 2014, PMP (predicate-many-preceders); Berenson 1995, A3 (phantom). Shows at read committed, where every
statement takes a snapshot of its own. Above it the snapshot is the transaction's.

In Django: two querysets in one `atomic()` block, such as a count and then the list that it should count.

    -- T1  reads where value = 30         shows nothing
    -- T2  inserts 30; COMMIT
    -- T1  reads where value % 3 = 0      shows 30; above read committed: nothing
    -- T1  COMMIT
"""

from racelab_bank.isolation.anomalies import anomaly
from racelab_bank.isolation.observation import Observation
from racelab_bank.isolation.outcome import Shown, Snapshot, expected
from racelab_bank.isolation.script import COMMIT, T1, T2, script

SCRIPT = script(
    T1("SELECT * FROM test WHERE value = 30"),
    T2("INSERT INTO test (id, value) VALUES (3, 30)"),
    T2(COMMIT),
    T1("SELECT * FROM test WHERE value % 3 = 0"),
    T1(COMMIT),
)
EXPECTED = expected(autocommit=Shown, read_committed=Shown, repeatable_read=Snapshot, serializable=Snapshot)


@anomaly("PMP", "predicate-many-preceders", script=SCRIPT, expected=EXPECTED)
def pmp(observed: Observation) -> bool:
    """Judge whether T1 saw the row the second time only."""
    reads = observed.reads("T1")
    return len(reads) == 2 and 3 not in reads[0] and 3 in reads[1]
