"""What NumPy says of many entries is what a walk in plain Python says of them."""

import pytest

from bench.synthetic import deposits
from racelab_bank.audit.columns import Ids
from racelab_bank.audit.graph.certificate import certify
from racelab_bank.audit.history import History
from racelab_bank.audit.report import audit

ENTRIES = 200_000


def halves(ids: Ids) -> list[tuple[int, int]]:
    return list(zip(ids.high.tolist(), ids.low.tolist(), strict=True))


def walked(history: History) -> list[int]:
    """Return the amounts of the entries that no account is made of, by following what each entry had read."""
    tables = history.tables
    ids = halves(tables.entries.id)
    read = dict(zip(ids, halves(tables.entries.previous), strict=True))
    kept: set[tuple[int, int]] = set()
    for head in halves(tables.accounts.head):
        at = head
        while at in read:
            kept.add(at)
            at = read[at]
    amounts = tables.entries.amount_cents.values.tolist()
    return [amount for id_, amount in zip(ids, amounts, strict=True) if id_ not in kept]


@pytest.mark.parametrize("stale", [0.0, 0.01, 0.5])
def test_of_many_entries_those_are_lost_that_a_walk_does_not_meet(stale: float) -> None:
    history = deposits(ENTRIES, stale=stale)
    report = audit(history, final=True)
    lost = walked(history)
    assert report.entries == ENTRIES
    assert report.lost == len(lost)
    assert report.drift_cents == -sum(lost)
    assert report.identity_holds
    assert bool(lost) is bool(stale)
    assert certify(history).serializable is not bool(stale)
