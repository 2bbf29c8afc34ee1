"""The auditor's control API, as in docs/contracts.md; its OpenAPI document is at /api/openapi.json."""

import secrets
from importlib.metadata import version
from typing import Annotated, Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import NinjaAPI, Path, Query, Schema, Status
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import HttpBearer
from pydantic import ConfigDict, Field

from racelab_bank.auditor import auditing, codes, explaining, gate, histories, runs, users
from racelab_bank.entries import now_microseconds
from racelab_bank.models import Run

Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
Index = Annotated[int, Path(ge=0, lt=1_000)]


class Token(HttpBearer):
    """The bearer token of `RACELAB_TOKEN`."""

    def authenticate(self, request: HttpRequest, token: str) -> bool:  # noqa: ARG002 - the signature is ninja's
        """Compare in constant time."""
        return bool(settings.RACELAB_TOKEN) and secrets.compare_digest(token.encode(), settings.RACELAB_TOKEN.encode())


class Problem(Schema):
    """What was wrong."""

    detail: str


class GateAnswer(Schema):
    """How the gate stands, with the times from which a generator estimates the auditor's clock (NTP)."""

    state: str
    reason: str | None
    start_at_microseconds: int | None
    received_at_microseconds: int
    sent_at_microseconds: int


class Stored(Schema):
    """How many operations were stored."""

    operations: int


class Lost(Schema):
    """Why a history will never come."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2_000)


class AccountDrift(Schema):
    """One account: whose it is, what it says, what its ledger says, and how many of its entries are lost."""

    account: int
    kind: str
    owner: int | None
    user: str | None
    opening_cents: int
    ledger_total_cents: int
    balance_cents: int
    drift_cents: int
    entries: int
    lost: int


class Accounts(Schema):
    """The accounts of a run that have entries: how many there are, and the first of them."""

    run: str
    count: int
    accounts: list[AccountDrift]


class DuplicateBalances(Schema):
    """How many recorded balances had been recorded before, and why that misleads here; no reasons: it does not."""

    run: str
    duplicates: int
    reasons: list[str]


api = NinjaAPI(title="racelab auditor", version=version("racelab"), auth=Token(), docs_url=None)
# What the API answers beside its success, for the OpenAPI document.
PROBLEMS: dict[int | frozenset[int], Any] = {frozenset({400, 401, 404, 409, 410, 422, 503}): Problem}


@api.put("/runs/{key}", response={200: runs.RunDescription, 201: runs.RunDescription, **PROBLEMS})
def open_run(request: HttpRequest, key: Key, asked: runs.RunRequest) -> Status[dict[str, Any]]:
    """Open a run with fresh accounts. Repeating it is harmless."""
    run, new = runs.open_run(key, asked)
    return Status(201 if new else 200, runs.describe(Run.objects.get(pk=run.pk)))


@api.get("/runs", response={200: list[runs.RunSummary], **PROBLEMS})
def list_runs(request: HttpRequest) -> list[dict[str, Any]]:
    """List the newest 100 runs, newest first."""
    return runs.newest()


@api.get("/runs/{key}", response={200: runs.RunDescription, **PROBLEMS})
def describe_run(request: HttpRequest, key: Key) -> dict[str, Any]:
    """Describe a run: its accounts, its gate, its histories."""
    return runs.describe(runs.find_run(key))


@api.post("/runs/{key}/gate/{generator}", response={200: GateAnswer, **PROBLEMS})
def pass_gate(
    request: HttpRequest, key: Key, generator: Index, process: Annotated[str, Query(max_length=64)] = ""
) -> dict[str, Any]:
    """Register a generator at the gate; repeated, ask how the gate stands.

    Once it is open, only the process that was registered may pass as this generator.
    """
    received_at = now_microseconds()
    run = gate.register(runs.find_run(key), generator, process)
    return {
        "state": run.gate,
        "reason": run.gate_reason or None,
        "start_at_microseconds": run.gate_start_microseconds,
        "received_at_microseconds": received_at,
        "sent_at_microseconds": now_microseconds(),
    }


@api.put("/runs/{key}/histories/{generator}", response={200: Stored, **PROBLEMS})
def store_history(request: HttpRequest, key: Key, generator: Index) -> dict[str, int]:
    """Store a generator's history: NDJSON whose last line counts the others. Truncated or wrong, nothing is stored."""
    run = _expecting(key, generator)
    # Django reads a chunked body as an empty one; a server that ends it itself says so.
    terminated = request.META.get("wsgi.input_terminated", False)
    body = request.META["wsgi.input"] if terminated else request
    return {"operations": histories.store(run, generator, body)}


@api.post("/runs/{key}/histories/{generator}/lost", response={204: None, **PROBLEMS})
def lose_history(request: HttpRequest, key: Key, generator: Index, lost: Lost) -> Status[None]:
    """Note that a generator's history will never come. One that has come stays."""
    histories.lose(_expecting(key, generator), generator, lost.reason)
    return Status(204, None)


def _expecting(key: str, generator: int) -> Run:
    run = runs.find_run(key)
    if generator >= run.generators:
        raise runs.Contradiction(f"generator: given {generator}, run {key} has {run.generators}")
    return run


@api.post("/runs/{key}/close", response={200: runs.RunDescription, **PROBLEMS})
def close_run(request: HttpRequest, key: Key) -> dict[str, Any]:
    """Close a run: nothing is installed on its accounts afterwards. Repeating it is harmless."""
    run = runs.find_run(key)
    runs.close_run(run)
    return runs.describe(Run.objects.get(pk=run.pk))


@api.get("/runs/{key}/audit", response={200: dict[str, Any], **PROBLEMS})
def audit_run(request: HttpRequest, key: Key, live: bool = False) -> dict[str, Any]:
    """Audit a run: live while it is open; final once it is closed and everything on its way has arrived.

    With `live`, the live figures of a closed run, too: they end as the final ones.
    """
    return auditing.audit_run(runs.find_run(key), live=live)


@api.get("/runs/{key}/history", response={200: Any, **PROBLEMS})
def export_history(request: HttpRequest, key: Key) -> StreamingHttpResponse:
    """Export a run as a history file, which `racelab verify` checks without a database."""
    return StreamingHttpResponse(auditing.export(runs.find_run(key)), content_type="application/x-ndjson")


@api.get("/runs/{key}/anomalies", response={200: dict[str, Any], **PROBLEMS})
def list_anomalies(
    request: HttpRequest,
    key: Key,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """List a run's anomalies, each in one sentence with the operations involved."""
    return auditing.anomalies(runs.find_run(key), offset, limit)


@api.get("/runs/{key}/interleavings", response={200: explaining.Interleavings, **PROBLEMS})
def list_interleavings(  # noqa: PLR0917 - ninja takes a query's fields from the signature
    request: HttpRequest,
    key: Key,
    operation: Annotated[str | None, Query(max_length=100)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    drawing: bool = False,
) -> dict[str, Any]:
    """Show who was lost, and to whom: each in two lanes, as text and, with `drawing`, as SVG."""
    return explaining.explain(runs.find_run(key), operation=operation, offset=offset, limit=limit, drawing=drawing)


@api.get("/runs/{key}/accounts", response={200: Accounts, **PROBLEMS})
def list_accounts(request: HttpRequest, key: Key, limit: Annotated[int, Query(ge=1, le=1_000)] = 10) -> dict[str, Any]:
    """List a run's accounts that have entries, those with the largest drift first."""
    return auditing.accounts(runs.find_run(key), limit)


@api.get("/runs/{key}/duplicate-balances", response={200: DuplicateBalances, **PROBLEMS})
def count_duplicate_balances(request: HttpRequest, key: Key) -> dict[str, Any]:
    """Count entries that recorded a balance another had recorded: how lost updates are found without a ledger."""
    return auditing.duplicate_balances(runs.find_run(key))


@api.put("/users/{name}", response={200: users.UserDescription, 201: users.UserDescription, **PROBLEMS})
def put_user(
    request: HttpRequest, name: Annotated[str, Path(max_length=150)], asked: users.UserRequest
) -> Status[users.UserDescription]:
    """Make a user who logs in: a superuser of the admin, or one with an account. Repeated, set the password again."""
    user, new = users.put_user(name, asked)
    return Status(201 if new else 200, user)


@api.post("/codes", response={201: codes.NewCodes, **PROBLEMS})
def make_codes(request: HttpRequest, asked: codes.CodesRequest) -> Status[codes.NewCodes]:
    """Make discount codes for the playground. Each call makes more."""
    return Status(201, codes.new_codes(asked))


@api.exception_handler(ValidationError)
def _wrong(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Name every wrong field in one sentence."""
    wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors)
    return api.create_response(request, {"detail": wrong}, status=422)


@api.exception_handler(AuthenticationError)
def _unauthorized(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    detail = "show the token of RACELAB_TOKEN: Authorization: Bearer …"
    return api.create_response(request, {"detail": detail}, status=401)


def _answers(status: int, *errors: type[Exception]) -> None:
    def answer(request: HttpRequest, error: Any) -> HttpResponse:
        return api.create_response(request, {"detail": str(error).strip()}, status=status)

    for error in errors:
        api.add_exception_handler(error, answer)


_answers(400, histories.IncompleteHistory)
_answers(404, runs.NoSuchRun, explaining.UnknownOperation)
_answers(409, runs.Contradiction)
_answers(422, runs.UnknownName, users.WrongUserName)
_answers(503, DatabaseError, InterfaceError, psycopg.Error)
