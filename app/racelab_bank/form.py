"""The form of a bank operation: parsed and checked, every error with the field, the value and what is allowed."""

import re
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict

from racelab_bank.claims import ISOLATIONS
from racelab_bank.errors import InvalidField

MAXIMUM_AMOUNT_CENTS: Final = 10**12
MAXIMUM_WINDOW_MILLISECONDS: Final = 10_000
MAXIMUM_ACCOUNT: Final = 2**63 - 1
MAXIMUM_OPERATION_CHARACTERS: Final = 100

_DIGITS = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class OperationForm:
    """What a caller asks of the bank."""

    accounts: tuple[int, ...]
    amount_cents: int
    operation: str
    isolation: str
    window_milliseconds: int


def parse(fields: QueryDict, account_fields: tuple[str, ...]) -> OperationForm:
    """Check a posted form; raise `InvalidField` for the first field that is wrong."""
    return OperationForm(
        accounts=tuple(_integer(fields, name, 1, MAXIMUM_ACCOUNT) for name in account_fields),
        amount_cents=_integer(fields, "amount", 1, MAXIMUM_AMOUNT_CENTS),
        operation=_operation(fields),
        isolation=_isolation(fields),
        window_milliseconds=_integer(fields, "window_milliseconds", 0, MAXIMUM_WINDOW_MILLISECONDS, default=0),
    )


def _integer(fields: QueryDict, name: str, least: int, most: int, *, default: int | None = None) -> int:
    given = fields.get(name)
    if given is None and default is not None:
        return default
    if given is None or not _DIGITS.fullmatch(given) or not least <= int(given) <= most:
        raise InvalidField(name, given, f"an integer from {least} to {most}")
    return int(given)


def _operation(fields: QueryDict) -> str:
    given = fields.get("operation")
    if given is None or not 1 <= len(given) <= MAXIMUM_OPERATION_CHARACTERS or not given.isprintable():
        raise InvalidField("operation", given, f"1 to {MAXIMUM_OPERATION_CHARACTERS} printable characters")
    return given


def _isolation(fields: QueryDict) -> str:
    given = fields.get("isolation", ISOLATIONS[0])
    if given not in ISOLATIONS:
        raise InvalidField("isolation", given, " or ".join(ISOLATIONS))
    return given
