"""`POST /demo/<name>/`: the five endpoints of racy-django, which its HTTP/2 fork uses for its shop.

With `account` and `amount` it is racy-django's deposit; with `item` and `code` the fork's discount. Both answer `200`.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from racelab_bank.errors import Refused
from racelab_bank.seeds import http2_fork, racy_django
from racelab_bank.seeds.performing import Problem, endpoint, perform, text

_LONG_DELAY_SECONDS: Final = (3, 10)


def long_delay() -> None:
    """Wait 3 to 10 seconds between read and write, times `RACELAB_DELAY_SCALE`."""
    time.sleep(random.uniform(*_LONG_DELAY_SECONDS) * settings.RACELAB_DELAY_SCALE)  # noqa: S311 - no secret


def no_delay() -> None:
    """Go on at once."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an endpoint reads and writes: one strategy for deposits, one for discounts."""

    deposit: str
    redeem: str
    delay: Callable[[], None]


WAYS: Final[Mapping[str, Way]] = MappingProxyType(
    {
        "atomic_long_delay": Way("atomic_only", "atomic_only", long_delay),
        "non_atomic_long_delay": Way("read_modify_write", "read_modify_write", long_delay),
        "atomic_no_delay": Way("atomic_only", "atomic_only", no_delay),
        "non_atomic_no_delay": Way("read_modify_write", "read_modify_write", no_delay),
        # The fork checks the code before it takes the lock, and never again.
        "row_locking_atomic_long_delay": Way("row_lock", "check_then_lock", long_delay),
    }
)


@endpoint
def demo(request: HttpRequest, way: Way) -> HttpResponse:
    """Deposit, or redeem a code, in the endpoint's way."""
    if request.method != "POST":
        return text(Problem(405, f"{request.method} is not allowed here, POST is"))
    fields = request.POST
    if "item" in fields or "code" in fields:
        result = perform("demo", "redeem", way.redeem, lambda: http2_fork.redemption(fields), way.delay)
        if isinstance(result, Problem) and result.status == Refused.status:
            result = Problem(result.status, f"code {fields['code']} has been used")
    else:
        result = perform("demo", "deposit", way.deposit, lambda: racy_django.deposit(fields), way.delay)
    return text(result) if isinstance(result, Problem) else HttpResponse("200")
