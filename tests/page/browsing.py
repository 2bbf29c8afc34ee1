"""A real Chromium on a page, which remembers everything that it must not do."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page

ARTEFACTS = Path(__file__).parent / "artefacts"
WIDE, NARROW = (1280, 900), (400, 800)
PATIENCE_MILLISECONDS = 30_000

_NOTE_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@contextmanager
def chromium_at(path: str) -> Iterator[Browser]:
    """Run Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Reader:
    """Somebody with a browser at one auditor. `faults`: console errors, policy violations, requests to elsewhere."""

    def __init__(self, browser: Browser, url: str, *, size: tuple[int, int] = WIDE, scheme: str = "light") -> None:
        self.url = url
        self.faults: list[str] = []
        self.expects_loss = False
        self._context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        self._context.set_default_timeout(PATIENCE_MILLISECONDS)
        self._context.add_init_script(_NOTE_VIOLATIONS)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        # A server that is away by the test's own doing is told by the browser itself, of each request to it.
        away = self.expects_loss and "Failed to load resource" in message.text
        if message.type in {"error", "warning"} and not away:
            self.faults.append(f"{message.type}: {message.text}")

    def _request(self, url: str) -> None:
        if url.startswith(("data:", "blob:")):
            return
        asked, own = urlsplit(url), urlsplit(self.url)
        if (asked.scheme, asked.netloc) != (own.scheme, own.netloc):
            self.faults.append(f"a request to elsewhere: {url}")

    def goes_to(self, path: str = "/") -> Page:
        """Open a page and wait until it listens, or says that there is nothing to listen to."""
        self.page.goto(f"{self.url}{path}")
        self.is_told("#link", "live", "ended", "not live")
        return self.page

    def signs_in(self, token: str) -> Page:
        """Open the overview by a link that signs in."""
        self.page.goto(f"{self.url}/#token={token}")
        self.page.wait_for_selector("#race-start")
        self.is_told("#link", "live")
        assert "token" not in self.page.url
        return self.page

    def is_told(self, selector: str, *words: str) -> None:
        """Wait until an element says one of these."""
        told = "([selector, words]) => words.includes(document.querySelector(selector)?.innerText.trim())"
        self.page.wait_for_function(told, arg=[selector, list(words)])

    def text(self, selector: str) -> str:
        """Return what an element says."""
        return self.page.inner_text(selector).strip()

    def shoots(self, name: str) -> None:
        """Save what is seen, to be looked at."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)

    def overflow_pixels(self) -> int:
        """Return by how much the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def complaints(self) -> list[str]:
        """Return what axe-core finds that is serious or critical."""
        response: Any = Axe().run(self.page).response
        return [
            f"{one['id']} ({one['impact']}): {node['target']} {node['failureSummary']}"
            for one in response["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    def leaves(self) -> None:
        """Close the tab."""
        self._context.close()
