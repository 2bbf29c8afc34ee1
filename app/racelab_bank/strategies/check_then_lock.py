"""Check first, then lock, and never check again. The wrong row lock: what is written is fresh, the decision is not.

Loses nothing, but a code that may be used once is used by everybody who looked before the first lock was free. Above
read committed, whoever waited for the lock is aborted.

    -- T1  BEGIN; reads 1: may be used
    -- T2  BEGIN; reads 1: may be used
    -- T1  locks; reads 1; writes 0; COMMIT
    -- T2  locks; reads 0; writes −1; COMMIT   shows −1: used twice; above read committed: 40001
"""

from racelab_bank.claims import Aborts, Anomaly, claims, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import BLOCKS
from racelab_bank.strategies import strategy

CLAIMS = claims(read_committed=racy(Anomaly.VISIBLE_OVERDRAFT), repeatable_read=Aborts, serializable=Aborts)


@strategy(CLAIMS, transaction="atomic", prevents=BLOCKS)
def check_then_lock(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting under the rows' locks, as it was decided before them."""
    with bank.transaction():
        posting.check(bank.read(posting))
        bank.wait_window()
        return bank.write_absolute(posting, bank.read_locked(posting))
