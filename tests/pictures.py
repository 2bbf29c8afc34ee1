"""`make pictures`: renews docs/pictures from a real lab, with a real browser, by walking through docs/tutorial.md."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from playwright.sync_api import ViewportSize, expect, sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from racelab_operator.platforms.local.state import current_lab
from racelab_operator.report.json import read_reports
from racelab_operator.report.table import print_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from racelab_operator.platforms.local.addresses import Addresses

ROOT: Final = Path(__file__).parents[1]
PICTURES: Final = ROOT / "docs/pictures"
TUTORIAL: Final = ROOT / "docs/tutorial"
SIZE: Final = ViewportSize(width=1180, height=860)
PATIENCE_SECONDS: Final = 90
# Rich would have whoever looks at the drawing fetch fonts from elsewhere.
_WITHOUT_FONTS: Final = re.sub(r"@font-face \{\{.*?\}\}|<!--.*?-->", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> int:
    """Walk through the tutorial, and take pictures on the way; return the exit code."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("make pictures needs chromium: on Debian, apt-get install chromium", file=sys.stderr)
        return 2
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="rl-pictures-") as home,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        walk(Path(home), browser)
    for picture in sorted(PICTURES.iterdir()):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1024} kB")
    return 0


def walk(home: Path, browser: Browser) -> None:
    """Race, look, explain, race two by hand, report."""
    report, page_file = home / "report.json", home / "report.html"
    arguments = ["--home", str(home / "lab"), "--keep", "--json", str(report), "--html", str(page_file)]
    with performed([str(TUTORIAL / "race.yaml"), *arguments]) as command:
        addresses = addresses_of(home / "lab", command)
        raced = run_of(addresses, "3-replicas", command)
        with opened(browser, f"{addresses.auditor_url}/runs/{raced}") as page:
            expect(page.locator("#lost")).to_have_text(re.compile(r"[0-9,]{4,}"), timeout=PATIENCE_SECONDS * 1000)
            shoot(page, "live-page.png")
        with opened(browser, addresses.auditor_url) as page:
            race_two(page, addresses.token)
        wait_for(command, page_file.exists)
        racelab(
            "explain", raced, "--limit", "1", "--svg", str(PICTURES / "lost-update.svg"), "--home", str(home / "lab")
        )
    with opened(browser, page_file.as_uri()) as page:
        shoot(page, "report.png")
    draw_terminal(report)


@contextmanager
def performed(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Perform an experiment and keep its lab, until the block ends."""
    with subprocess.Popen([sys.executable, "-m", "racelab_operator", "run", *arguments], env=os.environ) as command:
        try:
            yield command
        finally:
            command.terminate()


def racelab(*arguments: str) -> None:
    """Perform another command to its end."""
    subprocess.run([sys.executable, "-m", "racelab_operator", *arguments], check=True, stdout=subprocess.DEVNULL)


def wait_for(command: subprocess.Popen[bytes], happens: object) -> None:
    """Wait until something is so while a command goes on."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happens():  # type: ignore[operator]
        if command.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the lab has ended, or takes too long")
        time.sleep(0.1)


def addresses_of(home: Path, command: subprocess.Popen[bytes]) -> Addresses:
    """Wait for the lab, and say where it is."""
    wait_for(command, lambda: (record := current_lab(home)) is not None and record.addresses is not None)
    record = current_lab(home)
    assert record is not None
    assert record.addresses is not None
    return record.addresses


def run_of(addresses: Addresses, step: str, command: subprocess.Popen[bytes]) -> str:
    """Wait for a step's run, and return its key."""
    found: list[str] = []
    headers = {"Authorization": f"Bearer {addresses.token}"}
    with httpx.Client(base_url=addresses.auditor_url, headers=headers, trust_env=False) as client:

        def begun() -> bool:
            runs = client.get("/api/runs").raise_for_status().json()
            found.extend(run["key"] for run in runs if run["labels"].get("step", "").startswith(step))
            return bool(found)

        wait_for(command, begun)
    return found[0]


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Open a page in a light window."""
    page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
    try:
        page.goto(url)
        yield page
    finally:
        page.close()


def shoot(page: Page, name: str) -> None:
    """Take a picture of what the window shows."""
    page.screenshot(path=PICTURES / name)


def race_two(page: Page, token: str) -> None:
    """Sign in, and let two deposits race to their end."""
    page.locator("input[name=token]").first.fill(token)
    page.locator("input[name=token]").first.press("Enter")
    page.locator("#race-start").click()
    page.locator(".race-drawing svg").wait_for(timeout=PATIENCE_SECONDS * 1000)
    page.locator("section:has(#race)").screenshot(path=PICTURES / "race-two.png")


def draw_terminal(report: Path) -> None:
    """Draw what the command printed, as a terminal shows it."""
    console = Console(file=io.StringIO(), record=True, width=112, force_terminal=True)
    console.print("$ racelab run docs/tutorial/race.yaml", style="bold")
    for told in read_reports(report):
        print_report(told, console)
    drawn = console.export_svg(title="racelab", code_format=_WITHOUT_FONTS, font_aspect_ratio=0.61)
    (PICTURES / "terminal.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
