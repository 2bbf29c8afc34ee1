"""Read, then lock, then write what was read before the lock. The common wrong fix: the lock protects nothing.

Loses updates at read committed; above it, whoever waited for the lock is aborted.

    -- T1  BEGIN; reads 100; locks
    -- T2  BEGIN; reads 100; locks       BLOCKS
    -- T1  writes 110; COMMIT
    -- T2  writes 150; COMMIT            shows 150: T1's +10 is lost; above read committed: 40001
"""

from racelab_bank.claims import Aborts, Anomaly, claims, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategy

CLAIMS = claims(
    read_committed=racy(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT), repeatable_read=Aborts, serializable=Aborts
)


@strategy(CLAIMS, transaction="atomic")
def lock_then_stale(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under a lock that comes too late."""
    with bank.transaction():
        seen = bank.read(posting)
        posting.check(seen)
        bank.wait_window()
        bank.read_locked(posting)
        return bank.write_absolute(posting, seen)
