"""Django's `get_or_create()` without a unique constraint: a SELECT and an INSERT, and nothing between them.

Its documentation says that it relies on the database's uniqueness. Without that it creates duplicates, at every level,
and from then on its own `get()` fails for that owner: MultipleObjectsReturned, here a refusal.

    -- T1  get: none
    -- T2  get: none
    -- T1  creates
    -- T2  creates                       shows two rows
"""

from racelab_bank.claims import Anomaly, at_every_level, racy
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import openings, strategy


@strategy(at_every_level(racy(Anomaly.DUPLICATE)), transaction="none", serves=openings)
def get_or_create(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting to what `get_or_create()` returns."""
    return bank.get_or_create(posting.required_opening)
