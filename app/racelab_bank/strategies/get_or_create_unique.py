"""Django's `get_or_create()` with a unique constraint, as it is meant: when the INSERT fails, `get()` is asked again.

Safe at every level in autocommit: the second `get()` has a snapshot of its own. Inside one repeatable read transaction
it would not see the row that its INSERT has just collided with.

    -- T1  get: none
    -- T2  get: none
    -- T1  creates
    -- T2  creates: 23505; get: T1's row shows one row, with both amounts on it
"""

from racelab_bank.claims import Safe, at_every_level
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.prevention import FINDS_FIRST
from racelab_bank.strategies import openings, strategy


@strategy(at_every_level(Safe), transaction="none", serves=openings, prevents=FINDS_FIRST)
def get_or_create_unique(posting: Posting, bank: Bank) -> Applied:
    """Apply the posting to what `get_or_create()` returns."""
    return bank.get_or_create(posting.required_opening, unique_owner=True)
