"""Every cell of the claims table, performed: two operations on one account, step by step, on real PostgreSQL."""

from collections.abc import Callable

import pytest

from bank.interleaving import ScriptedClient
from racelab_bank.audit.report import AuditReport
from racelab_bank.auditor import auditing
from racelab_bank.errors import Conflict, Refused
from racelab_bank.models import Account, Run
from racelab_bank.posting import Applied
from racelab_bank.scenarios import scenarios
from racelab_bank.strategies import strategies

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

CELLS = [
    pytest.param(scenario, strategy, isolation, id=f"{scenario}-{strategy}-{isolation}")
    for scenario in scenarios()
    for strategy in strategies()
    for isolation in strategies()[strategy].claims
]

# Each alone is allowed, both are not: 100 cents cannot pay 80 twice.
OPENING_CENTS = 100
AMOUNT_CENTS = 80


@pytest.mark.parametrize(("scenario", "strategy", "isolation"), CELLS)
def test_two_overlapping_operations_show_exactly_what_is_claimed(
    scenario: str,
    strategy: str,
    isolation: str,
    open_run: Callable[..., Run],
    audit_ledger: Callable[[Run], AuditReport],
) -> None:
    run = open_run(scenario=scenario, strategy=strategy, isolation=isolation, opening_cents=OPENING_CENTS)
    account = Account.objects.get(run=run)
    posting = scenarios()[scenario].post(account.pk, AMOUNT_CENTS)
    first, second = (ScriptedClient(name, strategies()[strategy], posting, isolation) for name in ("T1", "T2"))

    first.start()
    second.start()
    outcomes = [first.finish(), second.finish()]

    claim = strategies()[strategy].claim(scenarios()[scenario], isolation)
    report = audit_ledger(run)
    shown = {kind for kind, number in report.anomalies.items() if number}
    turned_away = not isinstance(outcomes[1], Applied)
    assert report.identity_holds, report.reason
    assert shown == set(claim.anomalies), f"{outcomes} {report}"
    assert isinstance(outcomes[0], Applied), "whoever comes first is served"
    if claim.kind == "aborts":
        assert turned_away, "and the other one must come again"
    assert claim.kind == "aborts" or not isinstance(outcomes[1], Conflict)
    if claim.kind == "safe" and scenario == "deposit":
        account.refresh_from_db()
        assert account.balance_cents == OPENING_CENTS + 2 * AMOUNT_CENTS
    if claim.kind == "safe" and scenario == "withdraw":
        assert isinstance(outcomes[1], Refused)


def test_a_locked_row_makes_the_second_wait_before_it_reads(open_run: Callable[..., Run]) -> None:
    run = open_run(strategy="row_lock")
    posting = scenarios()["deposit"].post(Account.objects.get(run=run).pk, 10)
    first = ScriptedClient("T1", strategies()["row_lock"], posting, "read-committed").start()
    second = ScriptedClient("T2", strategies()["row_lock"], posting, "read-committed").start()
    assert first.in_window
    assert second.blocks
    first.finish()
    assert second.finish() == Applied(second.outcome.entry, 110, 120)  # type: ignore[union-attr]


def test_the_lost_update_is_the_first_and_its_culprit_the_second(
    open_run: Callable[..., Run], audit_ledger: Callable[[Run], AuditReport]
) -> None:
    run = open_run(strategy="atomic_only")
    posting = scenarios()["deposit"].post(Account.objects.get(run=run).pk, 10)
    first = ScriptedClient("T1", strategies()["atomic_only"], posting, "read-committed").start()
    second = ScriptedClient("T2", strategies()["atomic_only"], posting, "read-committed").start()
    first.finish()
    second.finish()
    report = audit_ledger(run)
    assert (report.lost, report.culprits, report.drift_cents) == (1, 1, -10)
    found = auditing.anomalies(run, 0, 10)["anomalies"]
    assert [one["operations"][0] for one in found if one["kind"] == "lost_update"] == ["T1"]


def test_a_version_check_that_never_wins_becomes_a_conflict(open_run: Callable[..., Run]) -> None:
    run = open_run(strategy="version_check")
    account = Account.objects.get(run=run)
    posting = scenarios()["deposit"].post(account.pk, 10)
    client = ScriptedClient("T1", strategies()["version_check"], posting, "read-committed")

    def somebody_is_always_faster() -> None:
        Account.objects.filter(pk=account.pk).update(version=Account.objects.get(pk=account.pk).version + 1)

    client.bank.window = somebody_is_always_faster
    client.start()
    outcome = client.finish()
    assert isinstance(outcome, Conflict)
    assert client.bank.retries == 49
    account.refresh_from_db()
    assert account.balance_cents == 100
