"""An interleaving as SVG: two lanes from top to bottom, and between them the balances that they read and wrote.

Self-contained: no script, no reference, no id that another drawing on the same page could have, too. It stands on a
ground of its own, so that it can be read wherever it is shown; dark where the reader prefers that. Colours are
attributes, which hold also where a page allows no inline style, and none says anything that words or shapes do not.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from racelab_bank.audit.interleaving import layout
from racelab_bank.audit.interleaving.printing import clipped, isolated, width
from racelab_bank.audit.interleaving.text import facts, start
from racelab_bank.audit.interleaving.values import LOST, Clock, Kind
from racelab_bank.audit.words import listing, money, shown

if TYPE_CHECKING:
    from racelab_bank.audit.interleaving.layout import Box, Layout
    from racelab_bank.audit.interleaving.values import Event, Interleaving, Version

#: Light and dark, by what they are for: all texts have a contrast of 4.5 to 1 or more on their ground.
_COLOURS: Final = {
    "ground": ("#ffffff", "#0d1117"),
    "card": ("#f6f8fa", "#161b22"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#9198a1"),
    "line": ("#afb8c1", "#484f58"),
    "read": ("#0550ae", "#79c0ff"),
    "lost": ("#b3261e", "#ff7b72"),
}
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
_KINDS: Final = {"lost_update": "Lost update", "write_skew": "Write skew"}
_RADIUS: Final = 6


def as_svg(drawn: Interleaving) -> str:
    """Return it as an SVG document of its own size; texts of callers are escaped."""
    return ET.tostring(_Drawing(drawn, layout.layout(drawn)).root, encoding="unicode")


def _style() -> str:
    """Return the style for readers who prefer dark: it takes the place of the attributes."""
    rules = "".join(f".rl-{name}{{fill:{dark}}}.rl-{name}-s{{stroke:{dark}}}" for name, (_, dark) in _COLOURS.items())
    return f"@media (prefers-color-scheme:dark){{{rules}}}"


class _Drawing:
    def __init__(self, drawn: Interleaving, places: Layout) -> None:
        self._drawn = drawn
        self._places = places
        size = {"width": str(layout.WIDTH), "height": str(places.height)}
        self.root = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {layout.WIDTH} {places.height}", **size,
                "role": "img", "font-family": _FONT, "font-size": "12.5", "direction": "ltr",
            },
        )  # fmt: skip
        ET.SubElement(self.root, "title").text = drawn.sentence
        ET.SubElement(self.root, "desc").text = self._description()
        ET.SubElement(self.root, "style").text = _style()
        self._rectangle((0, 0), (layout.WIDTH, places.height), fill="ground", radius=8)
        self._head()
        self._columns()
        for number, event in enumerate(drawn.events):
            self._arrow(number, event)
        for number, version in enumerate(drawn.versions):
            self._version(version, places.boxes[number])
        for number, event in enumerate(drawn.events):
            self._event(number, event)
        self._foot()

    def _description(self) -> str:
        """Say everything that happened, for who does not see the drawing."""
        told = (f"{self._drawn.lanes[one.lane].short} {one.what}{', lost' * one.lost}" for one in self._drawn.events)
        return f"In this order: {'; '.join(told)}."

    def _head(self) -> None:
        places, drawn = self._places, self._drawn
        kind = _KINDS.get(drawn.kind, drawn.kind.replace("_", " ").capitalize())
        noun = "account" if len(drawn.accounts) == 1 else "accounts"
        on = f" on {noun} {listing(drawn.accounts)}" if drawn.accounts else ""
        self._text((layout.MARGIN, 26), f"{kind}{on}", size=16, weight="600")
        begin = drawn.begin_microseconds
        if begin is not None:
            self._text((layout.WIDTH - layout.MARGIN, 26), f"0.000 ms is {start(begin)}", anchor="end", fill="soft")
        for number, line in enumerate(places.title):
            self._text((layout.MARGIN, 48 + layout.LINE * number), line, fill="soft")
        for number, lane in enumerate(drawn.lanes):
            x = layout.LIFELINES[number]
            self._line((x, places.head + 74), (x, places.bottom), "line", width=2)
            edge, anchor = _side(number, x)
            y = places.head + 32
            mark = f"{lane.mark}: " if lane.mark == LOST else ""
            lost = "lost" if lane.mark == LOST else "ink"
            self._text((edge, y), clipped(f"{mark}{lane.name}", layout.SIDE), weight="600", anchor=anchor, fill=lost)
            self._text((edge, y + layout.LINE), clipped(facts(lane), 54), size=11, anchor=anchor, fill="soft")
            self._text((edge, places.bottom + 14), lane.mark, weight="600", anchor=anchor, fill=lost)

    def _columns(self) -> None:
        """Draw each account's column: its name, and lines from one version to the next."""
        versions, boxes = self._drawn.versions, self._places.boxes
        for account in dict.fromkeys(version.account for version in versions):
            own = [number for number, version in enumerate(versions) if version.account == account]
            x = boxes[own[0]].x
            name = f"account {account}"
            self._text((x, self._places.head + 60), name, anchor="middle", size=11, fill="soft")
            for one, next_one in pairwise(own):
                upper, lower = boxes[one].y + layout.BOX_HEIGHT // 2, boxes[next_one].y - layout.BOX_HEIGHT // 2
                between = versions[next_one].number - versions[one].number - 1
                self._line((x, upper), (x, lower), "line", dashes="3 4" if between else None)
                if between and lower - upper > 2 * _RADIUS:
                    self._text((x + 6, (upper + lower) // 2 + 4), f"{between} more", size=11, fill="soft")

    def _version(self, version: Version, box: Box) -> None:
        corner = (box.x - box.half, box.y - layout.BOX_HEIGHT // 2)
        colour = "lost" if version.lost else "line"
        self._rectangle(
            corner,
            (2 * box.half, layout.BOX_HEIGHT),
            fill="card",
            stroke=colour,
            dashes="4 3" if version.lost else None,
        )
        balance = money(version.balance_cents)
        size = min(14.0, (2 * box.half - 12) / (0.62 * width(balance)))
        ink = "lost" if version.lost else "ink"
        self._text((box.x, box.y - 3), balance, size=size, weight="600", anchor="middle", fill=ink, strike=version.lost)
        writer = f"{LOST}: {version.writer}" if version.lost else version.writer
        self._text((box.x, box.y + 13), clipped(writer, int(box.half / 3.4)), size=10.5, anchor="middle", fill=ink)

    def _arrow(self, number: int, event: Event) -> None:
        """Draw the arrow from a read, or from a write, to its version."""
        if event.version is None:
            return
        box, y, x = self._places.boxes[event.version], self._places.event_y[number], layout.LIFELINES[event.lane]
        towards = 1 if event.lane == 0 else -1
        start_x, end_x = x + towards * (_RADIUS + 2), box.x - towards * box.half
        name = "lost" if event.lost else "read" if event.kind is Kind.READ else "ink"
        self._line((start_x, y), (end_x, box.y), name, width=1.5, dashes="5 4" if event.kind is Kind.READ else None)
        angle = math.atan2(box.y - y, end_x - start_x)
        wings = (angle + math.pi + turn for turn in (-0.42, 0.42))
        points = [(end_x, box.y), *((end_x + 9 * math.cos(wing), box.y + 9 * math.sin(wing)) for wing in wings)]
        told = " ".join(f"{one:.1f},{other:.1f}" for one, other in points)
        ET.SubElement(self.root, "polygon", {"points": told, **_fill(name)})

    def _event(self, number: int, event: Event) -> None:
        x, y = layout.LIFELINES[event.lane], self._places.event_y[number]
        self._text((92, y + 4), self._drawn.offset(event), size=11, anchor="end", fill="soft")
        quiet = event.clock is Clock.CALLER or event.kind is Kind.WINDOW
        name = "lost" if event.lost else "read" if event.kind is Kind.READ else "soft" if quiet else "ink"
        if event.kind is Kind.WINDOW:
            self._window(number, event.lane)
        else:
            # A read is a ring, a write is a disc, a request or an answer is a square: not only colours tell them apart.
            self._shape(event, x, y, name)
        edge, anchor = _side(event.lane, x)
        lines = self._places.event_lines[number]
        for place, line in enumerate(lines):
            height = y + 4 + layout.LINE * place - layout.LINE * (len(lines) - 1) // 2
            fill = "lost" if event.lost else "soft" if quiet else "ink"
            self._text((edge, height), line, anchor=anchor, fill=fill, weight="600" if event.lost else "400")

    def _shape(self, event: Event, x: int, y: int, name: str) -> None:
        if event.clock is Clock.CALLER:
            self._rectangle((x - 4, y - 4), (8, 8), fill="ground", stroke="soft", radius=0)
            return
        inside = _fill("ground") if event.kind is Kind.READ else _fill(name)
        shape = {"cx": str(x), "cy": str(y), "r": str(_RADIUS), "stroke-width": "2"}
        stroke = _stroke(name)
        classes = f"{inside.pop('class')} {stroke.pop('class')}"
        ET.SubElement(self.root, "circle", {**shape, **inside, **stroke, "class": classes})

    def _window(self, number: int, lane: int) -> None:
        """Draw the time between a lane's last read and its first write as a bar on its line."""
        events, y = self._drawn.events, self._places.event_y
        own = [place for place, event in enumerate(events) if event.lane == lane]
        read = max((place for place in own if place < number and events[place].kind is Kind.READ), default=number)
        wrote = min((place for place in own if place > number and events[place].kind is Kind.WRITE), default=number)
        corner = (layout.LIFELINES[lane] - 3, y[read] + _RADIUS)
        self._rectangle(corner, (6, max(0, y[wrote] - y[read] - 2 * _RADIUS)), fill="read", radius=3)

    def _foot(self) -> None:
        y = self._places.bottom + 2 * layout.LINE + 12
        for number, line in enumerate(self._places.foot):
            self._text((layout.MARGIN, y + layout.LINE * number), line, size=12)

    def _line(
        self,
        begin: tuple[float, float],
        end: tuple[float, float],
        name: str,
        *,
        width: float = 1,
        dashes: str | None = None,
    ) -> None:
        places = dict(zip(("x1", "y1", "x2", "y2"), map(str, (*begin, *end)), strict=True))
        more = {"stroke-dasharray": dashes} if dashes else {}
        ET.SubElement(self.root, "line", {**places, **_stroke(name), "stroke-width": str(width), **more})

    def _rectangle(
        self,
        corner: tuple[int, int],
        size: tuple[int, int],
        *,
        fill: str,
        stroke: str | None = None,
        dashes: str | None = None,
        radius: int = 6,
    ) -> None:
        places = dict(zip(("x", "y", "width", "height"), map(str, (*corner, *size)), strict=True))
        attributes = {**places, "rx": str(radius), **_fill(fill)}
        if stroke is not None:
            edge = _stroke(stroke)
            attributes["class"] += f" {edge.pop('class')}"
            attributes |= edge
        if dashes:
            attributes["stroke-dasharray"] = dashes
        ET.SubElement(self.root, "rect", attributes)

    def _text(
        self,
        place: tuple[int, int],
        text: str,
        *,
        size: float = 12.5,
        weight: str = "400",
        anchor: str = "start",
        fill: str = "ink",
        strike: bool = False,
    ) -> None:
        if not text:
            return
        attributes = {"x": str(place[0]), "y": str(place[1]), "font-size": f"{size:g}", **_fill(fill)}
        if weight != "400":
            attributes["font-weight"] = weight
        if anchor != "start":
            attributes["text-anchor"] = anchor
        if strike:
            attributes["text-decoration"] = "line-through"
        ET.SubElement(self.root, "text", attributes).text = isolated(shown(text))


def _side(lane: int, x: int) -> tuple[int, str]:
    """Return where a lane's texts begin, and how they are anchored: outside its line."""
    return (x - 14, "end") if lane == 0 else (x + 14, "start")


def _fill(name: str) -> dict[str, str]:
    return {"fill": _COLOURS[name][0], "class": f"rl-{name}"}


def _stroke(name: str) -> dict[str, str]:
    return {"stroke": _COLOURS[name][0], "class": f"rl-{name}-s"}
