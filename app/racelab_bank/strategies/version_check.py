"""Optimistic locking: `filter(version=v).update(balance=…, version=v + 1)`; 0 rows means read again.

Safe at every level in autocommit. Whoever loses reads again, up to 50 times; then it is a conflict. Inside one
repeatable read transaction a second attempt would read the same old version for ever. For one balance only: without a
transaction, a second leg that is refused would leave the first behind.

    -- T1  reads 100 at version 7
    -- T2  reads 100 at version 7
    -- T1  writes 110 where version = 7  1 row
    -- T2  writes 150 where version = 7  0 rows: reads 110 at version 8, writes 160; shows 160
"""

from racelab_bank.claims import Safe, at_every_level
from racelab_bank.errors import Conflict
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import COMPARES
from racelab_bank.strategies import one_balance, strategy

CLAIMS = at_every_level(Safe)
ATTEMPTS = 50


@strategy(CLAIMS, transaction="none", serves=one_balance, prevents=COMPARES)
def version_check(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting where nobody has written since it was read."""
    for _ in bank.attempts(ATTEMPTS):
        seen = bank.read(posting)
        posting.check(seen)
        bank.wait_window()
        applied = bank.write_versioned(posting, seen)
        if applied is not None:
            return applied
    raise Conflict(f"another operation was faster {ATTEMPTS} times in a row")
