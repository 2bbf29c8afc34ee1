"""Put money on an owner's account, which is created when it is missing.

Must keep: one account per owner. Two first deposits at once both find none, and both create one (duplicate); from then
on some of the owner's money is where nobody looks for it. Each target of a load is one owner without an account.
"""

from racelab_bank.claims import Anomaly
from racelab_bank.posting import Opening, Posting
from racelab_bank.scenarios import NewAccount, Terms, scenario


def no_account(_terms: Terms) -> tuple[NewAccount, ...]:
    """Open nothing: the requests do."""
    return ()


@scenario(
    anomalies=(Anomaly.DUPLICATE,),
    noun="first deposits",
    fields={"run": "run", "owner": "owner"},
    target="batch",
    opens=no_account,
    changes_balances=False,
    opens_accounts=True,
)
def open(run: str, owner: int, amount_cents: int) -> Posting:  # noqa: A001 - the field's name for it
    """Return the posting of a deposit into the owner's account."""
    return Posting((), opening=Opening(run, owner, amount_cents))
