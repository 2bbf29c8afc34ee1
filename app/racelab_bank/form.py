"""The form of a bank operation: parsed and checked, every error with the field, the value and what is allowed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict

from racelab_bank.claims import ISOLATIONS
from racelab_bank.errors import InvalidField
from racelab_bank.scenarios import Placeholder

MAXIMUM_AMOUNT_CENTS: Final = 10**12
MAXIMUM_WINDOW_MILLISECONDS: Final = 10_000
MAXIMUM_ACCOUNT: Final = 2**63 - 1
MAXIMUM_OPERATION_CHARACTERS: Final = 100

#: The run that is always open: for playing by hand, and for the clients of older systems.
PLAYGROUND: Final = "playground"

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_DIGITS = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class OperationForm:
    """What a caller asks of the bank."""

    values: tuple[int | str, ...]
    amount_cents: int
    operation: str
    isolation: str
    window_milliseconds: int


def parse(fields: QueryDict, wanted: Mapping[str, Placeholder]) -> OperationForm:
    """Check a posted form; raise `InvalidField` for the first field that is wrong.

    `wanted` are the scenario's own fields; `values` of the form are in their order.
    """
    return OperationForm(
        values=tuple(
            _run(fields, name) if placeholder == "run" else integer(fields, name, 1, MAXIMUM_ACCOUNT)
            for name, placeholder in wanted.items()
        ),
        amount_cents=integer(fields, "amount", 1, MAXIMUM_AMOUNT_CENTS),
        operation=_operation(fields),
        isolation=_isolation(fields),
        window_milliseconds=integer(fields, "window_milliseconds", 0, MAXIMUM_WINDOW_MILLISECONDS, default=0),
    )


def integer(fields: QueryDict, name: str, least: int, most: int, *, default: int | None = None) -> int:
    """Return a field's whole number, `default` where it is not given. Raises `InvalidField`."""
    given = fields.get(name)
    if given is None and default is not None:
        return default
    if given is None or not _DIGITS.fullmatch(given) or not least <= int(given) <= most:
        raise InvalidField(name, given, f"an integer from {least} to {most}")
    return int(given)


def _run(fields: QueryDict, name: str) -> str:
    given = fields.get(name, PLAYGROUND)
    if not _RUN.fullmatch(given):
        raise InvalidField(name, given, "a run's key: 1 to 200 letters, digits, dots, dashes and underscores")
    return given


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
