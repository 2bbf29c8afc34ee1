"""Amounts, counts and lists as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from racelab_bank.audit.rows import Entry

#: How many of a long list are named.
_NAMED = 5


def money(cents: int) -> str:
    """Return `cents` with two decimals and a sign where negative: `−12.00`."""
    units, rest = divmod(abs(cents), 100)
    return f"{'−' if cents < 0 else ''}{units}.{rest:02d}"


def signed(cents: int) -> str:
    """Return `cents` with two decimals and always a sign: `+1.00`."""
    return money(cents) if cents < 0 else f"+{money(cents)}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `number` with its noun, in the plural unless it is one: `1 lost update`, `12 lost updates`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


#: What a balance without an entry was written by.
NOBODY = "a write without an entry"


def who(entry: Entry | None) -> str:
    """Return what an entry's operation is called: `operation 7 on bank-1`, as far as it tells; without one `NOBODY`."""
    return NOBODY if entry is None else f"{operation(entry)}{_where(entry)}"


def who_and_what(entry: Entry) -> str:
    """Return the same with what it added: `operation 7 (+1.00) on bank-1`."""
    return f"{operation(entry)} ({signed(entry.amount_cents)}){_where(entry)}"


def _where(entry: Entry) -> str:
    return f" on {shown(entry.replica)}" if entry.replica else ""


def operation(entry: Entry | None) -> str:
    """Return what an entry's operation is called, without the replica: `operation 7`, or `entry` and its id."""
    if entry is None:
        return NOBODY
    return f"operation {shown(entry.operation)}" if entry.operation else f"entry {entry.id}"


def shown(text: str) -> str:
    """Return a text of a caller's as it may be printed: what would steer a terminal, or break a line, is replaced."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def clock(microseconds: int) -> str:
    """Return the time of day of a Unix time, in UTC: `04:31:02.123456`; of what is no such time the number itself."""
    try:
        return f"{datetime.fromtimestamp(microseconds // 1_000_000, UTC):%H:%M:%S}.{microseconds % 1_000_000:06d}"
    except (OverflowError, OSError, ValueError):
        return str(microseconds)


def later(microseconds: int) -> str:
    """Return how much later something was: `3.214 ms later`."""
    return f"{milliseconds(abs(microseconds))} {'earlier' if microseconds < 0 else 'later'}"


def milliseconds(microseconds: int) -> str:
    """Return a duration in milliseconds: `3.214 ms`."""
    return f"{microseconds / 1_000:.3f} ms"


def listing(names: Sequence[object]) -> str:
    """Return `names` in a row: `17 and 18`; of more than five the first five, and how many others there are."""
    if len(names) > _NAMED:
        named, last = names[:_NAMED], count(len(names) - _NAMED, "other")
    else:
        named, last = names[:-1], str(names[-1])
    return f"{', '.join(map(str, named))} and {last}" if named else last
