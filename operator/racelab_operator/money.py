"""Amounts for people: cents are kept as integers everywhere else."""

from __future__ import annotations


def cents_as_text(cents: int) -> str:
    """Write cents as units with two decimals, a comma per thousand and a true minus sign: −1,234.50."""
    units, rest = divmod(abs(cents), 100)
    return f"{'−' if cents < 0 else ''}{units:,}.{rest:02}"
