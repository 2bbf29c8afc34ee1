"""Amounts and counts as people read them."""


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
