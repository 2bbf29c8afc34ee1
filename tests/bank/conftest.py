"""Runs for the bank's tests."""

import itertools
from collections.abc import Callable

import pytest

from racelab_bank.audit.report import AuditReport, audit
from racelab_bank.auditor import rows, runs
from racelab_bank.models import Run

OpenRun = Callable[..., Run]


@pytest.fixture
def open_run() -> OpenRun:
    """Open a fresh run through the auditor's own function."""
    numbers = itertools.count()

    def open_one(
        *,
        scenario: str = "deposit",
        strategy: str = "atomic_only",
        isolation: str = "read-committed",
        accounts: int = 1,
        opening_cents: int = 100,
        minimum_cents: int = 0,
        price_cents: int | None = None,
        generators: int = 1,
    ) -> Run:
        asked = runs.RunRequest(
            scenario=scenario,
            strategy=strategy,
            isolation=isolation,
            accounts=accounts,
            opening_cents=opening_cents,
            minimum_cents=minimum_cents,
            price_cents=price_cents,
            generators=generators,
        )
        run, _ = runs.open_run(f"test-{next(numbers)}", asked)
        return Run.objects.get(pk=run.pk)

    return open_one


@pytest.fixture
def audit_ledger() -> Callable[[Run], AuditReport]:
    """Audit a run's ledger as if nothing were on its way."""

    def audited(run: Run) -> AuditReport:
        with rows.snapshot():
            history = rows.history(run)
        return audit(history, final=True)

    return audited
