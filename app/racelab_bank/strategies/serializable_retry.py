"""Serializable isolation, retried around the outermost `atomic()` whenever the database aborts the transaction.

Safe at serializable, the only level it is for. Retried inside a savepoint it would fail for ever: the snapshot that is
too old belongs to the whole transaction.

    -- T1  BEGIN; reads 100
    -- T2  BEGIN; reads 100
    -- T1  writes 110; COMMIT
    -- T2  writes 150                    40001: BEGIN; reads 110; writes 160; COMMIT; shows 160
"""

from django.db import DatabaseError

from racelab_bank.claims import Safe
from racelab_bank.databases.postgresql import is_conflict
from racelab_bank.errors import Conflict
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import TRIES_AGAIN
from racelab_bank.strategies import balances_and_guards, strategy

ATTEMPTS = 50


@strategy({"serializable": Safe}, transaction="atomic", serves=balances_and_guards, prevents=TRIES_AGAIN)
def serializable_retry(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting as if alone, as often as it takes."""
    for _ in bank.attempts(ATTEMPTS):
        try:
            with bank.transaction():
                seen = bank.read(posting)
                posting.check(seen)
                bank.wait_window()
                return bank.write_absolute(posting, seen)
        except DatabaseError as error:
            if not is_conflict(error):
                raise
    raise Conflict(f"the database aborted it {ATTEMPTS} times in a row")
