"""`select_for_update(no_key=True)`: as a row lock, but foreign keys to the row can be checked meanwhile.

Safe at read committed, and enough: an update of a balance takes no stronger lock itself.

    -- T1  BEGIN; locks (no key); reads 100
    -- T2  BEGIN; locks (no key)         BLOCKS
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
def row_lock_no_key(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under the weaker row locks."""
    with bank.transaction():
        seen = bank.read_locked(posting, no_key=True)
        posting.check(seen)
        bank.wait_window()
        return bank.write_absolute(posting, seen)
