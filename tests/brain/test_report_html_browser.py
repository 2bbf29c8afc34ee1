"""The page in a real browser: without a request or an error, in light and dark, on paper, and for everybody."""

from __future__ import annotations

import re
import shutil
import zlib
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from brain.report_samples import finished, whole
from racelab_operator.report.html import reports_as_html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on PATH")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    other = finished(strategies=["row_lock"]).model_copy(update={"experiment": "other"})
    file.write_text(reports_as_html([whole(), other]), encoding="utf-8")
    return file


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[1200, 400])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def opened(browser: Browser, file: Path, scheme: str, width: int) -> Iterator[Page]:
    """The page, opened from disk; it must not have said or asked for anything when the test is done."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]


def test_everything_is_shown_without_scrolling_sideways(opened: Page, width: int) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    drawn = opened.evaluate("[...document.images].map(image => [image.complete, image.naturalWidth > 0])")
    assert drawn == [[True, True]] * 6
    assert opened.locator("svg.chart").count() > 8
    for chart in opened.locator("svg.chart").all():
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] > 100


def test_the_style_is_allowed_and_follows_the_readers_scheme(opened: Page, scheme: str) -> None:
    ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]


def test_nothing_stands_in_the_way_of_anybody(opened: Page) -> None:
    # axe is a script of its own, which the page does not allow: it looks at a copy that does.
    markup = re.sub(r"<meta http-equiv=.*?>", "", opened.content())
    opened.set_content(markup)
    found = Axe().run(opened).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found] == []


def test_on_paper_it_is_light_and_whole(browser: Browser, file: Path, scheme: str, tmp_path: Path) -> None:
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    page.goto(file.as_uri())
    page.emulate_media(media="print", color_scheme="dark" if scheme == "dark" else "light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink == "rgb(31, 35, 40)"
    headings = [heading.strip() for heading in page.locator("h2").all_inner_texts()]
    assert [heading for heading in headings if not page.locator("h2", has_text=heading).first.is_visible()] == []
    assert all(one.is_visible() for one in page.locator("pre, svg.chart, img, table").all())
    paper = page.pdf(prefer_css_page_size=True)
    context.close()
    assert _pages(paper) >= 4
    box = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", paper)
    assert box is not None
    assert (round(float(box[1])), round(float(box[2]))) == (595, 842)  # A4


def _pages(paper: bytes) -> int:
    """Count the pages of a PDF, whose objects may be compressed."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", paper, re.DOTALL)
    told = paper
    for stream in streams:
        try:
            told += zlib.decompress(stream)
        except zlib.error:
            continue
    return len(re.findall(rb"/Type\s*/Page\b", told))
