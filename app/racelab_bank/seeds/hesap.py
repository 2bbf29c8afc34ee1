"""Django Yarış Durum Açığı: `POST /hesap` adds `artim` to the account of `sahip`, which is opened when it is missing.

The original answered the second of two first deposits with a 500 (its unique constraint); here the account is opened
once and both are applied. That race is the scenario `open`.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict

from racelab_bank.errors import NotApplied
from racelab_bank.posting import Posting
from racelab_bank.scenarios import scenarios
from racelab_bank.seeds import playground
from racelab_bank.seeds.performing import Problem, endpoint, perform
from racelab_bank.seeds.units import cents

_OWNERS: Final = range(-(2**63), 2**63)

#: The naive way, the locked one, and F().
STRATEGIES: Final[Mapping[str, str]] = MappingProxyType(
    {"hesap": "read_modify_write", "hesap/kilit": "row_lock", "hesap/f": "f_expression"}
)


@endpoint
def hesap(request: HttpRequest, strategy: str) -> HttpResponse:
    """Add to an owner's balance."""
    if request.method != "POST":
        return _answer(405, hata="Sadece POST isteklerine izin verilir.")
    fields = request.POST
    result = perform("hesap", "deposit", strategy, lambda: _deposit(fields))
    if isinstance(result, Problem):
        return _answer(result.status, hata=result.sentence)
    return _answer(200, mesaj="Tamam")


def _deposit(fields: QueryDict) -> Posting:
    sahip, artim = fields.get("sahip"), fields.get("artim")
    if sahip is None:
        raise NotApplied("sahip alanı bulunmalı")
    if artim is None:
        raise NotApplied("artim alanı bulunmalı")
    try:
        owner, amount_cents = _owner(sahip), cents(Decimal(artim))
    except (ValueError, ArithmeticError) as error:
        raise NotApplied("sahip tamsayı, artim decimal olmalı") from error
    return scenarios()["deposit"].post(playground.account_of_owner(owner), amount_cents)


def _owner(text: str) -> int:
    owner = int(text)
    if owner not in _OWNERS:
        raise ValueError(f"given {owner}, allowed what a BIGINT holds")
    return owner


def _answer(status: int, **message: str) -> JsonResponse:
    return JsonResponse(message, status=status, json_dumps_params={"ensure_ascii": False})
