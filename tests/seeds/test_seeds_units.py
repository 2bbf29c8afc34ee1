"""Whole units and cents."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racelab_bank.seeds.units import as_text, cents, units

AMOUNTS = st.integers(-(10**12), 10**12)


@given(AMOUNTS)
def test_cents_survive_the_way_through_units(amount: int) -> None:
    assert cents(units(amount)) == amount
    assert cents(Decimal(as_text(amount))) == amount


@given(AMOUNTS)
def test_decimals_are_written_only_where_the_amount_is_not_whole(amount: int) -> None:
    whole, _, rest = as_text(amount).partition(".")
    assert len(rest) == (0 if amount % 100 == 0 else 2)
    assert whole.lstrip("-").isdigit()


@pytest.mark.parametrize(("text", "expected"), [("20", 2000), ("20.00", 2000), ("-0.5", -50), ("2E1", 2000), ("0", 0)])
def test_every_spelling_of_an_amount_is_taken(text: str, expected: int) -> None:
    assert cents(Decimal(text)) == expected


@pytest.mark.parametrize(
    "text", ["0.001", "20.000", "NaN", "sNaN", "-Infinity", "10000000000.01", "1E+999999", "-1E+9999999", "1E-9"]
)
def test_what_no_ledger_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        cents(Decimal(text))


def test_digits_beyond_the_precision_are_not_rounded_away() -> None:
    with pytest.raises(ValueError, match="2 decimals"):
        cents(Decimal("1.0000000000000000000000000000000000000001"))
