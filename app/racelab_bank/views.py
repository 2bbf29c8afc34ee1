"""The bank's HTTP API: one POST is one operation."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError

from racelab_bank import form, metrics
from racelab_bank.databases.postgresql import ALIASES
from racelab_bank.errors import InvalidField, NotApplied
from racelab_bank.ledger import Bank
from racelab_bank.scenarios import Scenario, scenarios
from racelab_bank.strategies import Strategy, serving, strategies


def index(request: HttpRequest) -> HttpResponse:
    """Answer without touching the database: for warming up."""
    return HttpResponse("racelab bank: POST /bank/<scenario>/<strategy>/\n", content_type="text/plain")


def operation(request: HttpRequest, scenario: str, strategy: str) -> HttpResponse:
    """Apply one operation and answer what became of it, as in docs/contracts.md."""
    _ = request.body  # before anything else: an answer before the last byte would end a held-back stream early
    if request.method != "POST":
        return _answer(405, "invalid", reason=f"{request.method} is not allowed here, POST is")
    found_scenario, found_strategy = scenarios().get(scenario), strategies().get(strategy)
    if found_scenario is None:
        return _not_found("scenario", scenario, scenarios())
    if found_strategy is None:
        return _not_found("strategy", strategy, strategies())
    if not found_strategy.serves(found_scenario):
        return _not_found(f"strategy for {scenario}", strategy, serving(found_scenario))
    with metrics.observed(scenario, strategy) as observed:
        response, observed.outcome = _apply(request, found_scenario, found_strategy)
    return response


def _apply(request: HttpRequest, scenario: Scenario, strategy: Strategy) -> tuple[HttpResponse, str]:
    bank = None
    try:
        asked = form.parse(request.POST, scenario.fields)
        bank = Bank(
            alias=ALIASES[asked.isolation],
            operation=asked.operation,
            strategy=strategy.name,
            window=metrics.window(_pause(asked.window_milliseconds), scenario.name, strategy.name),
        )
        applied = bank.apply(strategy, scenario.post(*asked.values, asked.amount_cents))
    except InvalidField as error:
        return _answer(400, error.outcome, field=error.field, value=error.value, reason=str(error)), error.outcome
    except (MultiPartParserError, SuspiciousOperation) as error:
        return _answer(400, "invalid", field=None, value=None, reason=f"the form cannot be read: {error}"), "invalid"
    except NotApplied as error:
        retries = bank.retries if bank else 0
        return _answer(error.status, error.outcome, reason=str(error), retries=retries), error.outcome
    except (DatabaseError, InterfaceError) as error:
        return _answer(503, "unavailable", reason=f"the database failed: {error}".strip()), "unavailable"
    finally:
        if bank:
            metrics.RETRIES.labels(scenario.name, strategy.name).inc(bank.retries)
    answer = _answer(
        200,
        "applied",
        entry=str(applied.entry),
        balance_before_cents=applied.balance_before_cents,
        balance_after_cents=applied.balance_after_cents,
        retries=bank.retries,
    )
    return answer, "applied"


def _pause(milliseconds: int) -> Callable[[], None]:
    return partial(time.sleep, milliseconds / 1000) if milliseconds else lambda: None


def _not_found(what: str, given: str, allowed: Any) -> JsonResponse:
    return _answer(404, "unknown", reason=f"{what}: given {given[:100]!r}, allowed {', '.join(allowed)}")


def _answer(status: int, outcome: str, **more: Any) -> JsonResponse:
    return JsonResponse({"outcome": outcome, **more}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for requests that Django refuses to read, such as a body over 64 KiB."""
    return _answer(400, "invalid", field=None, value=None, reason=f"the request cannot be read: {exception}")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for paths that do not exist."""
    return _answer(404, "unknown", reason=f"there is no {request.path[:200]} here")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for our own mistakes; the log has the traceback."""
    return _answer(500, "failed", reason="the bank made a mistake; see its log")
