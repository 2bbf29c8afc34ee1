"""Amounts for people, as `racelab drift` shows them."""

from decimal import Decimal, InvalidOperation
from typing import Final

from racelab_bank.form import MAXIMUM_AMOUNT_CENTS


def money(cents: int) -> str:
    """Write cents as units with two decimals, a comma per thousand and a true minus sign: −1,234.50."""
    units, rest = divmod(abs(cents), 100)
    return f"{'−' if cents < 0 else ''}{units:,}.{rest:02}"


def signed(cents: int) -> str:
    """Write the same with a sign before positive amounts: +10.00."""
    return f"+{money(cents)}" if cents > 0 else money(cents)


#: What a form takes for an amount.
ALLOWED: Final = f"an amount from 0.01 to {money(MAXIMUM_AMOUNT_CENTS)} with at most two decimals, such as 12.50"


def cents(text: str) -> int | None:
    """Read an amount as people write it, such as `12.50`, `12` or `1,000.00`; None for anything else."""
    plain = text.strip().replace(",", "")
    if not plain.isascii() or not plain.replace(".", "", 1).isdigit():
        return None
    try:
        value = Decimal(plain) * 100
    except InvalidOperation:
        return None
    whole = int(value)
    return whole if whole == value and 1 <= whole <= MAXIMUM_AMOUNT_CENTS else None
