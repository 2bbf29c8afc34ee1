"""Amounts, counts and lists as people read them."""

from collections.abc import Sequence

#: How many of a long list are named.
_NAMED = 5


def money(cents: int) -> str:
    """Return `cents` with two decimals and a sign where negative: `−12.00`."""
    units, rest = divmod(abs(cents), 100)
    return f"{'−' if cents < 0 else ''}{units}.{rest:02d}"


def signed(cents: int) -> str:
    """Return `cents` with two decimals and always a sign: `+1.00`."""
    return money(cents) if cents < 0 else f"+{money(cents)}"


def count(number: int, noun: str) -> str:
    """Return `number` with its noun, in the plural unless it is one: `1 lost update`, `12 lost updates`."""
    return f"{number} {noun if number == 1 else noun + 's'}"


def listing(names: Sequence[object]) -> str:
    """Return `names` in a row: `17 and 18`; of more than five the first five, and how many others there are."""
    if len(names) > _NAMED:
        named, last = names[:_NAMED], count(len(names) - _NAMED, "other")
    else:
        named, last = names[:-1], str(names[-1])
    return f"{', '.join(map(str, named))} and {last}" if named else last
