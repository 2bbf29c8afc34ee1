"""Where everything stands in a drawing of an interleaving, in SVG's units: the accounts' balances between the lanes.

Each account's versions stand in a column of their own, from top to bottom in version order: above the events those that
were there before, and beside its event each that a lane has put.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from racelab_bank.audit.interleaving.printing import wrapped
from racelab_bank.audit.interleaving.text import event_text
from racelab_bank.audit.interleaving.values import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from racelab_bank.audit.interleaving.values import Interleaving

WIDTH: Final = 1_100
MARGIN: Final = 24
LINE: Final = 18
#: Where the lanes' lines are; their texts stand outside, `SIDE` columns wide.
LIFELINES: Final = (410, 690)
SIDE: Final = 45
#: How wide the place between the lines is of which columns of versions share, and how high a version is.
BETWEEN: Final = (426, 674)
BOX_HEIGHT: Final = 40
HEADING: Final = 44
_LANE_HEAD: Final = 84
_ROW: Final = 34
_GAP: Final = 14


@dataclass(frozen=True, slots=True)
class Box:
    """A version's rectangle: its centre, and half its width."""

    x: int
    y: int
    half: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a drawing's parts stand.

    `title` are the lines of its title, `head` is where lanes begin, `bottom` where they end, `foot` are the lines below
    them, `height` is that of the whole. There is one y for each event, with its lines, and one box for each version.
    """

    title: tuple[str, ...]
    head: int
    event_y: tuple[int, ...]
    event_lines: tuple[tuple[str, ...], ...]
    boxes: tuple[Box, ...]
    bottom: int
    foot: tuple[str, ...]
    height: int


def layout(drawn: Interleaving) -> Layout:
    """Say where everything stands."""
    title = tuple(wrapped(drawn.sentence, 124))
    head = HEADING + LINE * (len(title) - 1)
    lines = tuple(tuple(wrapped(event_text(drawn, number), SIDE)) for number in range(len(drawn.events)))
    before = _before(drawn)
    accounts = list(dict.fromkeys(version.account for version in drawn.versions))
    above = max((sum(1 for one in before if drawn.versions[one].account == account) for account in accounts), default=0)
    top = head + _LANE_HEAD + (BOX_HEIGHT + _GAP) * above
    event_y, y = [], top + _GAP
    for number, event in enumerate(drawn.events):
        high = max(_ROW, LINE * len(lines[number]) + _GAP)
        high = max(high, BOX_HEIGHT + _GAP) if event.kind is Kind.WRITE else high
        event_y.append(y + high // 2)
        y += high
    foot = _foot(drawn)
    bottom = y + _GAP
    boxes = _boxes(drawn, accounts, before, head + _LANE_HEAD, event_y)
    return Layout(
        title, head, tuple(event_y), lines, boxes, bottom, foot, bottom + 2 * LINE + LINE * len(foot) + MARGIN
    )


def _before(drawn: Interleaving) -> list[int]:
    """Return the versions that stand above all events: others', of which no lane's was before on their account."""
    found, own = [], set()
    for number, version in enumerate(drawn.versions):
        if version.lane is not None:
            own.add(version.account)
        elif version.account not in own:
            found.append(number)
    return found


def _boxes(
    drawn: Interleaving, accounts: Sequence[int], before: Sequence[int], top: int, event_y: Sequence[int]
) -> tuple[Box, ...]:
    """Place each version: beside its write, or else beside its first read, or above all."""
    share = (BETWEEN[1] - BETWEEN[0]) // max(1, len(accounts))
    first: dict[int, int] = {}
    for y, event in zip(event_y, drawn.events, strict=True):
        if event.version is not None and (event.version not in first or event.kind is Kind.WRITE):
            first[event.version] = y
    above = dict.fromkeys(accounts, top)
    boxes = []
    for number, version in enumerate(drawn.versions):
        x = BETWEEN[0] + share * accounts.index(version.account) + share // 2
        y = first.get(number, top)
        if number in before:
            y = above[version.account] + BOX_HEIGHT // 2
            above[version.account] += BOX_HEIGHT + _GAP
        boxes.append(Box(x, y, min(share - 20, 150) // 2))
    return tuple(boxes)


def _foot(drawn: Interleaving) -> tuple[str, ...]:
    reasons = (f"[{number}] {one.words}." for number, one in enumerate(drawn.reasons, start=1))
    return tuple(line for told in (*reasons, *drawn.notes) for line in wrapped(told, 136))
