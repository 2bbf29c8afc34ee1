"""Opening, describing and closing runs."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from django.db import connection, transaction
from ninja import Field, Schema
from pydantic import ConfigDict

from racelab_bank.claims import ISOLATIONS
from racelab_bank.models import Account, Generator, Run
from racelab_bank.scenarios import Terms, scenarios
from racelab_bank.strategies import serving, strategies

Cents = Annotated[int, Field(ge=-(10**15), le=10**15)]
Label = Annotated[str, Field(max_length=200)]
LISTED = 100


class Contradiction(Exception):
    """The call does not fit what is stored: 409."""


class UnknownName(Exception):
    """A scenario, strategy or isolation level that does not exist, or that the others do not work with: 422."""


class NoSuchRun(Exception):
    """There is no run of that key, or not any more: 404."""


class RunRequest(Schema):
    """What a run is opened with. Amounts are integer cents; `accounts` counts the targets that operations aim at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scenario: str
    strategy: str
    isolation: str
    accounts: int = Field(ge=1, le=100_000)
    opening_cents: Cents = 0
    minimum_cents: Cents = 0
    price_cents: Cents | None = None
    generators: int = Field(ge=1, le=1_000)
    labels: dict[Label, Label] = Field(default_factory=dict)


class GateState(Schema):
    """Where the simultaneous start stands; `start_at_microseconds` is Unix time on the auditor's clock."""

    state: str
    registered: list[int]
    start_at_microseconds: int | None
    reason: str | None


class HistoryState(Schema):
    """What became of one generator's history: `complete`, or `lost` for a reason."""

    state: str
    reason: str | None


class RunSummary(Schema):
    """A run without its accounts."""

    key: str
    state: str
    scenario: str
    strategy: str
    isolation: str
    opening_cents: int
    minimum_cents: int
    price_cents: int | None
    generators: int
    labels: dict[str, str]


class RunDescription(RunSummary):
    """A run, how many targets it has, the ids of all its accounts in ascending order, its gate and its histories.

    A target has as many accounts as its scenario opens for it, one after the other.
    """

    targets: int
    accounts: list[int]
    gate: GateState
    histories: dict[str, HistoryState]


def find_run(key: str) -> Run:
    """Return the run. Raises `NoSuchRun`."""
    run = Run.objects.filter(key=key).first()
    if run is None:
        raise NoSuchRun(f"there is no run {key}")
    return run


def open_run(key: str, asked: RunRequest) -> tuple[Run, bool]:
    """Open the run `key` with fresh accounts; return it and whether it is new.

    Raises `Contradiction` when it exists with another body, `UnknownName` for names that do not exist.
    """
    _check_names(asked)
    wanted = asked.dict()
    with transaction.atomic():
        run, new = Run.objects.get_or_create(key=key, defaults=wanted)
        if not new:
            stored = {name: getattr(run, name) for name in wanted}
            different = [name for name, value in wanted.items() if stored[name] != value]
            if different:
                told = ", ".join(f"{name} is {stored[name]!r}, given {wanted[name]!r}" for name in different)
                raise Contradiction(f"run {key} exists already: {told}")
            return run, False
        Account.objects.bulk_create(_accounts(run), batch_size=1_000)
        Generator.objects.bulk_create([Generator(run=run, index=index) for index in range(run.generators)])
    return run, True


def _accounts(run: Run) -> list[Account]:
    """Return the accounts to open: for each target those of the scenario, with the columns that the strategy needs."""
    terms = Terms(run.opening_cents, run.minimum_cents, run.price_cents or 0)
    opened = scenarios()[run.scenario].opens(terms)
    return [
        Account(
            run=run,
            kind=one.kind,
            owner=target if one.owned else None,
            opening_cents=one.opening_cents,
            balance_cents=one.opening_cents,
            minimum_cents=one.minimum_cents,
            head=uuid4(),
            **strategies()[run.strategy].accounts,
        )
        for target in range(1, run.accounts + 1)
        for one in opened
    ]


def _check_names(asked: RunRequest) -> None:
    for field, given, allowed in (
        ("scenario", asked.scenario, scenarios()),
        ("strategy", asked.strategy, strategies()),
        ("isolation", asked.isolation, ISOLATIONS),
    ):
        if given not in allowed:
            raise UnknownName(f"{field}: given {given!r}, allowed {', '.join(allowed)}")
    _check_fit(asked)


def _check_fit(asked: RunRequest) -> None:
    """Refuse names that exist and do not work together."""
    served = scenarios()[asked.scenario]
    if not strategies()[asked.strategy].serves(served):
        allowed = ", ".join(serving(served))
        raise UnknownName(
            f"strategy: given {asked.strategy!r}, which does not serve {asked.scenario}, allowed {allowed}"
        )
    if (asked.price_cents is None) != (served.price_cents is None):
        needed = "nothing, as nothing is sold" if served.price_cents is None else "the price of each item"
        raise UnknownName(f"price_cents: given {asked.price_cents}, allowed for {asked.scenario}: {needed}")


def describe(run: Run) -> dict[str, Any]:
    """Return the run as `GET /api/runs/{key}` answers it."""
    generators = list(Generator.objects.filter(run=run).order_by("index"))
    return {
        **summarise(run),
        "targets": run.accounts,
        "accounts": list(Account.objects.filter(run=run).order_by("pk").values_list("pk", flat=True)),
        "gate": {
            "state": run.gate,
            "registered": [generator.index for generator in generators if generator.registered],
            "start_at_microseconds": run.gate_start_microseconds,
            "reason": run.gate_reason or None,
        },
        "histories": {
            str(generator.index): {"state": generator.history, "reason": generator.reason or None}
            for generator in generators
            if generator.history != Generator.History.PENDING
        },
    }


def summarise(run: Run) -> dict[str, Any]:
    """Return the run as `GET /api/runs` lists it."""
    return {
        "key": run.key,
        "state": "closed" if run.closed_at else "open",
        "scenario": run.scenario,
        "strategy": run.strategy,
        "isolation": run.isolation,
        "opening_cents": run.opening_cents,
        "minimum_cents": run.minimum_cents,
        "price_cents": run.price_cents,
        "generators": run.generators,
        "labels": run.labels,
    }


def newest() -> list[dict[str, Any]]:
    """Return the newest runs, newest first."""
    return [summarise(run) for run in Run.objects.order_by("-pk")[:LISTED]]


def close_run(run: Run) -> None:
    """Close the run's accounts: nothing is installed on them afterwards. Closing a closed run changes nothing.

    Raises `Contradiction` for a standing run, which never ends.
    """
    if not run.generators:
        raise Contradiction(f"run {run.key} is a standing one: it is never closed")
    with transaction.atomic():
        locked = Run.objects.select_for_update().get(pk=run.pk)
        if locked.closed_at:
            return
        with connection.cursor() as cursor:
            # In order of ids, as strategies lock, so that closing never deadlocks with them.
            cursor.execute("SELECT id FROM account WHERE run_id = %s ORDER BY id FOR UPDATE", [run.pk])
            cursor.execute("UPDATE account SET closed = true WHERE run_id = %s", [run.pk])
            cursor.execute("SELECT pg_current_xact_id()::text")
            (close_transaction,) = cursor.fetchone() or ("",)
        locked.closed_at = datetime.now(UTC)
        locked.close_transaction = close_transaction
        locked.save(update_fields=["closed_at", "close_transaction"])
