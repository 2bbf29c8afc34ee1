"""Every cell of the claims table, performed: two overlapping operations, step by step, on real PostgreSQL."""

from collections.abc import Callable
from importlib import import_module

import pytest
from django.db.models import Sum

from bank.interleaving import ScriptedClient
from racelab_bank.audit.report import AuditReport
from racelab_bank.auditor import auditing
from racelab_bank.errors import Conflict, Refused
from racelab_bank.models import Account, Run
from racelab_bank.posting import Applied, Posting
from racelab_bank.scenarios import Scenario, scenarios
from racelab_bank.strategies import Strategy, serving, strategies

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

CELLS = [
    pytest.param(scenario, strategy, isolation, id=f"{scenario}-{strategy}-{isolation}")
    for scenario in scenarios()
    for strategy in serving(scenarios()[scenario])
    for isolation in strategies()[strategy].claims
]

# Each alone is allowed, both are not: 100 cents cannot pay 80 twice, nor can two accounts with 50 each.
OPENING_CENTS = 100
AMOUNT_CENTS = 80

Pair = tuple[Posting, Posting]


def pairs(scenario: Scenario, run: Run) -> list[Pair]:
    """Two operations on the same accounts in the same order and, where a load sends that too, in the other order."""
    accounts = list(Account.objects.filter(run=run).order_by("pk").values_list("pk", flat=True))
    filled = {"run": run.key, "owner": 1, "account": accounts[0] if accounts else 0}

    def posting(**other_way: int) -> Posting:
        values = {**filled, "other": accounts[-1] if accounts else 0, **other_way}
        return scenario.post(*(values[placeholder] for placeholder in scenario.fields.values()), AMOUNT_CENTS)

    same = (posting(), posting())
    if scenario.other not in {"random", "swap"}:
        return [same]
    return [same, (posting(), posting(account=accounts[-1], other=accounts[0]))]


@pytest.mark.parametrize(("scenario", "strategy", "isolation"), CELLS)
def test_two_overlapping_operations_show_exactly_what_is_claimed(
    scenario: str,
    strategy: str,
    isolation: str,
    open_run: Callable[..., Run],
    audit_ledger: Callable[[Run], AuditReport],
) -> None:
    served, serving_strategy = scenarios()[scenario], strategies()[strategy]
    claim = serving_strategy.claim(served, isolation)
    shown: set[str] = set()
    scripts = len(pairs(served, open_scenario(open_run, served, strategy, isolation)))
    for script in range(scripts):
        run = open_scenario(open_run, served, strategy, isolation)
        clients = [
            ScriptedClient(name, serving_strategy, posting, isolation)
            for name, posting in zip(("T1", "T2"), pairs(served, run)[script], strict=True)
        ]
        for client in clients:
            client.start()
        outcomes = [client.finish() for client in clients]
        report = audit_ledger(run)
        assert report.identity_holds, report.reason
        assert isinstance(outcomes[0], Applied), f"whoever comes first is served: {outcomes}"
        assert claim.kind != "safe" or not isinstance(outcomes[1], Conflict), outcomes
        assert claim.kind != "aborts" or not isinstance(outcomes[1], Applied), "and the other one must come again"
        shown |= {kind for kind, number in report.anomalies.items() if number}
    assert shown == set(claim.anomalies), f"{outcomes} {report}"


@pytest.mark.parametrize("strategy", strategies().values(), ids=strategies())
def test_every_strategy_tells_its_script(strategy: Strategy) -> None:
    told = import_module(strategy.apply.__module__).__doc__ or ""
    assert "\n    -- T1  " in told
    assert "\n    -- T2  " in told


def open_scenario(open_run: Callable[..., Run], scenario: Scenario, strategy: str, isolation: str) -> Run:
    """Open a run of one target, or of the least that the scenario needs."""
    takes = {
        "opening_cents": OPENING_CENTS // 2 if scenario.guarded else OPENING_CENTS,
        "price_cents": None if scenario.price_cents is None else 10 * AMOUNT_CENTS,
    }
    return open_run(scenario=scenario.name, strategy=strategy, isolation=isolation, accounts=scenario.targets, **takes)


SAFE_CELLS = [
    pytest.param(*cell.values, id=cell.id)
    for cell in CELLS
    if strategies()[str(cell.values[1])].claim(scenarios()[str(cell.values[0])], str(cell.values[2])).kind == "safe"
]


@pytest.mark.parametrize(("scenario", "strategy", "isolation"), SAFE_CELLS)
def test_a_safe_strategy_serves_the_second_where_the_money_is_there_and_refuses_it_where_not(
    scenario: str, strategy: str, isolation: str, open_run: Callable[..., Run]
) -> None:
    served = scenarios()[scenario]
    run = open_scenario(open_run, served, strategy, isolation)
    postings = pairs(served, run)[0]
    clients = [
        ScriptedClient(name, strategies()[strategy], posting, isolation)
        for name, posting in zip(("T1", "T2"), postings, strict=True)
    ]
    for client in clients:
        client.start()
    second = [client.finish() for client in clients][1]
    if postings[0].checked:
        assert isinstance(second, Refused)
    else:
        assert isinstance(second, Applied)
        total = Account.objects.filter(run=run).aggregate(total=Sum("balance_cents") - Sum("opening_cents"))["total"]
        assert total == 2 * AMOUNT_CENTS or strategies()[strategy].accounts.get("derived")


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
