"""What all charts are made of. Sizes are in units of which a chart is `WIDTH` wide, whatever it is shown at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from racelab_operator.report.html.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH: Final = 440
#: How many looks of lines there are: colours, dashes and marks by the page's classes `s0`, `s1` and so on.
LOOKS: Final = 6
_CHARACTER: Final = 6.0
_SHAPES: Final = (
    "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0z",
    "M-3.2,-3.2h6.4v6.4h-6.4z",
    "M0,-4.2l4,7h-8z",
    "M0,-4.5l4,4.5l-4,4.5l-4,-4.5z",
    "M0,4.2l4,-7h-8z",
    "M-3.6,-1h2.6v-2.6h2v2.6h2.6v2h-2.6v2.6h-2v-2.6h-2.6z",
)


def drawing(title: str, description: str, height: int) -> ET.Element:
    """Return an empty drawing that says in words what it shows."""
    root = ET.Element("svg", {"class": "chart", "viewBox": f"0 0 {WIDTH} {height}", "role": "img"})
    ET.SubElement(root, "title").text = printable(title)
    ET.SubElement(root, "desc").text = printable(description)
    return root


def text(to: ET.Element, at: tuple[float, float], words: str, look: str, anchor: str = "start") -> None:
    """Write words from, to, or around a place."""
    x, y = map(place, at)
    ET.SubElement(to, "text", {"x": x, "y": y, "class": look, "text-anchor": anchor}).text = printable(words)


def line(to: ET.Element, begin: tuple[float, float], end: tuple[float, float], look: str) -> None:
    """Draw a straight line."""
    places = zip(("x1", "y1", "x2", "y2"), (*begin, *end), strict=True)
    ET.SubElement(to, "line", {**{name: place(at) for name, at in places}, "class": look})


def path(to: ET.Element, points: Iterable[tuple[float, float]], look: str, *, closed: bool = False) -> None:
    """Draw through points, or fill what they enclose."""
    through = "L".join(f"{place(x)},{place(y)}" for x, y in points)
    ET.SubElement(to, "path", {"d": f"M{through}{'z' if closed else ''}", "class": look})


def mark(to: ET.Element, x: float, y: float, number: int) -> None:
    """Draw the mark of a look: each has a shape of its own."""
    look = number % LOOKS
    where = f"translate({place(x)},{place(y)})"
    ET.SubElement(to, "path", {"d": _SHAPES[look], "transform": where, "class": f"mark s{look}"})


def place(at: float) -> str:
    """Write a place as short as it can be seen."""
    return f"{round(at, 1):g}"


def clipped(words: str, room: float) -> str:
    """Cut words to about the room that there is for them."""
    most = int(room / _CHARACTER)
    return words if len(words) <= most else f"{words[: most - 1]}…"


def written(root: ET.Element) -> str:
    """Write a drawing as markup for a page of HTML."""
    return ET.tostring(root, encoding="unicode")
