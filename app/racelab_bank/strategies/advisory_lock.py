"""`pg_advisory_xact_lock(account)` first, then read, add, save: a lock by agreement, held until the commit.

Safe at read committed, as long as everybody asks for it. Above it, whoever waited has a snapshot from before the lock.

    -- T1  BEGIN; advisory lock; reads 100
    -- T2  BEGIN; advisory lock          BLOCKS
    -- T1  writes 110; COMMIT
    -- T2  reads 110; writes 160; COMMIT shows 160; above read committed: 40001
"""

from racelab_bank.claims import Aborts, Safe, claims
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import BLOCKS
from racelab_bank.strategies import strategy

CLAIMS = claims(read_committed=Safe, repeatable_read=Aborts, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic", prevents=BLOCKS)
def advisory_lock(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under the accounts' advisory locks."""
    with bank.transaction():
        bank.lock_until_commit(posting)
        seen = bank.read(posting)
        posting.check(seen)
        bank.wait_window()
        return bank.write_absolute(posting, seen)
