"""Interleavings as SVG: two lanes and the balances between them, and nothing that a caller's key could do."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from audit.drawn_simulations import often, simulations
from audit.interleaved import KEYS, one, two_deposits
from audit.simulated_bank import Leg, Simulation, Write
from audit.test_interleaving import GOLDEN
from racelab_bank.audit.interleaving import Kind, interleave, interleavings
from racelab_bank.audit.interleaving.drawing import as_svg
from racelab_bank.audit.interleaving.layout import LIFELINES, WIDTH
from racelab_bank.audit.interleaving.printing import clipped, width, wrapped
from racelab_bank.audit.report import findings
from racelab_bank.audit.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from racelab_bank.audit.history import History

SVG = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "title", "desc", "style", "text", "line", "circle", "rect", "polygon"}


def parsed(svg: str) -> ET.Element:
    """Read a drawing, and check that it is nothing but a picture of its own."""
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= TAGS
    for element in root.iter():
        for name in element.attrib:
            assert "href" not in name
            assert not name.startswith("on")
            assert name not in {"id", "style"}
    assert svg.count("http") == 1, "the namespace, and no other address"
    assert "url(" not in svg
    assert root.get("role") == "img"
    first, second = list(root)[:2]
    assert (first.tag, second.tag) == (f"{SVG}title", f"{SVG}desc")
    _, _, wide, high = map(float, (root.get("viewBox") or "").split())
    for element in root.iter():
        for x in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(x, "0")) <= wide
        for y in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(y, "0")) <= high
    return root


def texts(root: ET.Element) -> list[str]:
    isolates = {ord(isolate): None for isolate in "\u2068\u2069"}
    return [(element.text or "").translate(isolates) for element in root.iter(f"{SVG}text")]


def arrows(root: ET.Element) -> Iterator[tuple[float, float]]:
    """Yield where arrows end: at the first point of each head."""
    for head in root.iter(f"{SVG}polygon"):
        x, y = (head.get("points") or "").split()[0].split(",")
        yield float(x), float(y)


def box(root: ET.Element, balance: str) -> tuple[float, float, float, float]:
    """Return the place and the size of the rectangle around a balance."""
    (text,) = [each for each in root.iter(f"{SVG}text") if each.text == balance]
    x, y = float(text.get("x", "")), float(text.get("y", ""))
    for each in root.iter(f"{SVG}rect"):
        left, top, wide, high = (float(each.get(name, "")) for name in ("x", "y", "width", "height"))
        if left < x < left + wide < WIDTH and top < y < top + high:
            return left, top, wide, high
    raise AssertionError(f"no box around {balance}")


def test_arrows_lead_from_reads_and_writes_to_the_versions_that_they_are_of() -> None:
    root = parsed(as_svg(one(two_deposits())))
    opening, lost, kept = (box(root, balance) for balance in ("10.00", "11.00", "10.50"))
    assert opening[1] < lost[1] < kept[1], "in version order"
    ends = {(end, y) for end, y in arrows(root)}
    wanted = {
        (opening[0], opening[1] + opening[3] / 2),  # read by the victim, on the left
        (opening[0] + opening[2], opening[1] + opening[3] / 2),  # and by the culprit, on the right
        (lost[0], lost[1] + lost[3] / 2),
        (kept[0] + kept[2], kept[1] + kept[3] / 2),
    }
    assert ends == wanted


def test_what_is_lost_is_struck_and_said_in_words() -> None:
    root = parsed(as_svg(one(two_deposits())))
    struck = [each.text for each in root.iter(f"{SVG}text") if each.get("text-decoration") == "line-through"]
    assert struck == ["11.00"]
    assert {"LOST", "LOST: operation 0", "writes 11.00 over 10.00: LOST"} <= set(texts(root))
    assert "operation 0 writes 11.00 over 10.00, lost; " in (root.findtext(f"{SVG}desc") or "")


def test_events_stand_below_each_other_on_the_lines_of_their_lanes() -> None:
    drawn = one(two_deposits())
    root = parsed(as_svg(drawn))
    dots = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in root.iter(f"{SVG}circle")]
    lanes = [event.lane for event in drawn.events if event.kind in {Kind.READ, Kind.WRITE}]
    assert [x for x, _ in dots] == [LIFELINES[lane] for lane in lanes]
    assert [y for _, y in dots] == sorted(y for _, y in dots)
    assert [line for line in texts(root) if line.startswith("[1]")] == [
        "[1] a lock before the read would have BLOCKED operation 1's read here until operation 0 had committed."
    ]


def test_it_is_dark_where_the_reader_prefers_that_and_both_can_be_read() -> None:
    svg = as_svg(one(two_deposits()))
    light = {name: colour for colour, name in re.findall(r'fill="(#\w{6})" class="rl-(\w+)', svg)}
    style = parsed(svg).findtext(f"{SVG}style") or ""
    assert style.startswith("@media (prefers-color-scheme:dark)")
    dark = dict(re.findall(r"\.rl-(\w+)\{fill:(#\w{6})\}", style))
    for colours in (light, dark):
        for ink, ground in product(("ink", "soft", "lost"), ("ground", "card")):
            assert contrast(colours[ink], colours[ground]) >= 4.5


def contrast(one_colour: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""

    def luminance(colour: str) -> float:
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, (one_colour, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("key", KEYS)
def test_a_drawing_shows_what_a_key_says_and_does_nothing_with_it(key: str) -> None:
    history = two_deposits()
    drawn = one(replace(history, entries=[replace(history.entries[0], operation=key), history.entries[1]]))
    root = parsed(as_svg(drawn))
    assert shown(key) in (root.findtext(f"{SVG}title") or "")
    assert f"operation {shown(key)}"[:12] in " ".join(texts(root))
    for side in (each for each in texts(root) if key[:3] in each and not each.startswith("[")):
        assert width(side) <= 136


@often
@given(simulations(accounts=5, plain=False, apart=True, faults=True))
def test_whatever_happened_is_drawn(simulation: Simulation) -> None:
    history = simulation.history()
    for found in interleavings(history):
        root = parsed(as_svg(found))
        for version in found.versions:
            assert box_of_any(root, version.account), "each account has its column"
    for anomaly in findings(history, final=True):
        parsed(as_svg(interleave(history, anomaly)))


def box_of_any(root: ET.Element, account: int) -> bool:
    return f"account {account}" in texts(root)


def large() -> History:
    huge = 10**15
    writes = [Write((Leg(1, -huge),), "naive"), Write((Leg(1, -huge),), "naive")]
    return Simulation([3 * huge]).play(writes, [0, 1, 0, 0, 0], workers=2).history()


def test_a_large_balance_fits_its_box() -> None:
    root = parsed(as_svg(one(large())))
    for balance in ("30000000000000.00", "20000000000000.00"):
        for text in (each for each in root.iter(f"{SVG}text") if each.text == balance):
            assert width(balance) * 0.62 * float(text.get("font-size", "")) <= 150


def test_a_text_is_wrapped_and_clipped_by_the_columns_that_it_takes() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("", 7) == [""]
    assert wrapped("口座口座", 5) == ["口座", "口座"]
    assert (width("é"), width("e\u0301"), width("🏦")) == (1, 1, 2)
    assert clipped("abcdefghij", 5) == "ab…ij"
    assert clipped("口座口座口座", 7) == "口…座"
    assert max(map(width, GOLDEN.splitlines())) <= 100
