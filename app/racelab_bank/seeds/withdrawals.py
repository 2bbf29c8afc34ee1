"""Concurrency, Django and Apache Bench: a user who is logged in withdraws one unit per POST.

Works with a cookie jar, and with `ab -C` and both cookies; body and content type do not matter.
"""

from typing import Final

from django.http import HttpRequest, HttpResponse

from racelab_bank.models import Account
from racelab_bank.scenarios import scenarios
from racelab_bank.seeds.performing import Problem, perform, text
from racelab_bank.seeds.units import CENTS_PER_UNIT, as_text

STRATEGY: Final = "read_modify_write"


def withdraw(request: HttpRequest) -> HttpResponse:
    """Answer the user's balance; on POST, after a withdrawal."""
    account = Account.objects.filter(user=request.user).first() if request.user.is_authenticated else None
    if request.method in {"GET", "HEAD"}:
        return HttpResponse(as_text(account.balance_cents) if account else "")
    if request.method != "POST":
        return text(Problem(405, f"{request.method} is not allowed here, GET and POST are"))
    if account is None:
        return text(Problem(403, "log in first, at /auth/login/, as a user who has an account"))
    result = perform("withdraw", "withdraw", STRATEGY, lambda: scenarios()["withdraw"].post(account.pk, CENTS_PER_UNIT))
    if isinstance(result, Problem):
        return text(result)
    assert result.balance_after_cents is not None, f"{STRATEGY} computes the balance itself"  # noqa: S101 - our own code
    return HttpResponse(as_text(result.balance_after_cents))
