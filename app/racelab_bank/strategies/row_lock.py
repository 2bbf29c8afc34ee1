"""Lock the row with `select_for_update()`, then read, add, save, in one transaction.

Safe at read committed. Above it, whoever waited for the lock is aborted: its snapshot is older than the row.

    -- T1  BEGIN; locks; reads 100
    -- T2  BEGIN; locks                  BLOCKS
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
def row_lock(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under the rows' locks."""
    with bank.transaction():
        seen = bank.read_locked(posting)
        posting.check(seen)
        bank.wait_window()
        return bank.write_absolute(posting, seen)
