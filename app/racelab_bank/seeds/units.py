"""The older systems count in whole units with two decimals; the ledger in cents."""

from decimal import Decimal
from typing import Final

from racelab_bank.form import MAXIMUM_AMOUNT_CENTS

CENTS_PER_UNIT: Final = 100

_DECIMALS: Final = 2
_MOST_UNITS: Final = MAXIMUM_AMOUNT_CENTS // CENTS_PER_UNIT


def cents(units: Decimal) -> int:
    """Return the cents of an amount.

    Raises `ValueError` for what is no number, has more than two decimals, or is beyond ±10,000,000,000.00.
    """
    exponent = units.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"given {units}, allowed a finite number")
    if exponent < -_DECIMALS:
        raise ValueError(f"given {units}, allowed {_DECIMALS} decimals")
    if units.copy_abs() > _MOST_UNITS:
        raise ValueError(f"given {units}, allowed up to {_MOST_UNITS}")
    return int(units * CENTS_PER_UNIT)


def units(cents: int) -> Decimal:
    """Return an amount in units, with two decimals."""
    return Decimal(cents).scaleb(-_DECIMALS)


def as_text(cents: int) -> str:
    """Return an amount in units, with decimals only where it is not whole: `1000000`, `12.50`."""
    return str(units(cents)) if cents % CENTS_PER_UNIT else str(cents // CENTS_PER_UNIT)
