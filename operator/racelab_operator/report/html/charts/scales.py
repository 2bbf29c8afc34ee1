"""Scales: from values to places, with round numbers at the ticks. Exact, so that any number may be a value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

Value = int | float | Fraction

_ROUND: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from the first tick to the last one; ticks ascend, one step apart from each other."""

    ticks: tuple[Fraction, ...]

    def place(self, value: Value, begin: float, end: float) -> float:
        """Return where a value stands between the places of the first and the last tick."""
        low, high = self.ticks[0], self.ticks[-1]
        return begin + float((Fraction(value) - low) / (high - low)) * (end - begin)


def scale(low: Value, high: Value, *, most: int = 6, whole: bool = False) -> Scale:
    """Return a scale that holds both values, with 2 to `most` ticks at multiples of 1, 2 or 5 times a power of ten.

    `whole`: with whole numbers only. Where both values are the same, it goes on to the next round number.
    """
    least, largest = Fraction(low), Fraction(high)
    exponent = _exponent((largest - least) / most)
    if whole:
        exponent = max(exponent, 0)
    while True:
        for digit in _ROUND:
            step = digit * Fraction(10) ** exponent
            first, last = math.floor(least / step), math.ceil(largest / step)
            last += first == last
            if last - first < most:
                return Scale(tuple(number * step for number in range(first, last + 1)))
        exponent += 1


def _exponent(value: Fraction) -> int:
    """Return the power of ten of a value's first digit; 0 for zero."""
    return (Decimal(value.numerator) / Decimal(value.denominator)).adjusted() if value else 0
