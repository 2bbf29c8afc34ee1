"""A lock outside the transaction, freed before the commit: what a Redis lock under ATOMIC_REQUESTS does.

Loses updates at read committed: the next holder reads what is not committed yet as what it was before.

    -- T1  lock; BEGIN; reads 100; writes 110; unlock
    -- T2  lock; BEGIN; reads 100; writes 150   BLOCKS on T1's row
    -- T1  COMMIT
    -- T2  COMMIT                        shows 150: T1's +10 is lost; above read committed: 40001
"""

from racelab_bank.claims import Aborts, Anomaly, claims, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategy

CLAIMS = claims(
    read_committed=racy(Anomaly.LOST_UPDATE, Anomaly.HIDDEN_OVERDRAFT), repeatable_read=Aborts, serializable=Aborts
)


@strategy(CLAIMS, transaction="atomic")
def session_lock_released_early(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under a lock that is freed too early."""
    with bank.session_lock(posting) as release, bank.transaction():
        seen = bank.read(posting)
        posting.check(seen)
        applied = bank.write_absolute(posting, seen)
        release()
        bank.wait_window()
        return applied
