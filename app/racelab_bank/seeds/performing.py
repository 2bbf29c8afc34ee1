"""What all seeds do alike: read the whole body, apply a posting by a strategy, count it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final
from uuid import uuid4

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse

from racelab_bank import metrics
from racelab_bank.databases.postgresql import ALIASES
from racelab_bank.errors import NotApplied
from racelab_bank.ledger import Bank
from racelab_bank.posting import Applied, Posting
from racelab_bank.strategies import strategies

#: The systems ran at their database's default; PostgreSQL's is this one.
ISOLATION: Final = "read-committed"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing was applied: an HTTP status, and a sentence."""

    status: int
    sentence: str


def endpoint(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Read the whole body before anything else, so that a single packet works."""

    @wraps(view)
    def answer(request: HttpRequest, **arguments: Any) -> HttpResponse:
        _ = request.body
        return view(request, **arguments)

    return answer


def perform(
    seed: str, scenario: str, strategy: str, post: Callable[[], Posting], window: Callable[[], None] = lambda: None
) -> Applied | Problem:
    """Apply what `post` returns, and count it as any other operation.

    These clients name no operation: each request gets a key of its own, which begins with the `seed`.
    """
    bank = Bank(
        alias=ALIASES[ISOLATION],
        operation=f"{seed}-{uuid4()}",
        strategy=strategy,
        window=metrics.window(window, scenario, strategy),
    )
    with metrics.observed(scenario, strategy) as observed:
        try:
            applied = bank.apply(strategies()[strategy], post())
        except NotApplied as error:
            observed.outcome = error.outcome
            return Problem(error.status, str(error))
        except (DatabaseError, InterfaceError) as error:
            observed.outcome = "unavailable"
            return Problem(503, f"the database failed: {error}".strip())
        finally:
            metrics.RETRIES.labels(scenario, strategy).inc(bank.retries)
        observed.outcome = "applied"
        return applied


def text(problem: Problem) -> HttpResponse:
    """Answer a problem as plain text."""
    return HttpResponse(f"{problem.sentence}\n", status=problem.status, content_type="text/plain; charset=utf-8")
