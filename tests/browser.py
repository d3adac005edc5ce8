"""A browser without a window, driven by playwright: pages from a disk, at a width, light or dark."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromium
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NEEDS = "needs chromium and playwright, which are not both installed"


@contextmanager
def started_browser() -> Iterator["Browser"]:
    """Start the browser of the system; skip the test where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason=NEEDS)
    if chromium.PROGRAM is None:
        pytest.skip(NEEDS)
    with driver.sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium.PROGRAM, args=["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"]
        )
        yield found
        found.close()


def wait_until(page: "Page", expression: str) -> None:
    """Wait until an expression is true. The policy of a page may forbid that it evaluates one again and again."""
    for _ in range(500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise TimeoutError(expression)


class Opened:
    """A page that was opened, with what it complained about and what it asked for elsewhere than on the disk."""

    def __init__(self, browser: "Browser", width: int = 1280, scheme: Any = "light", height: int = 900) -> None:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    def go(self, file: Path, fragment: str = "") -> "Page":
        """Open a file, and return the page."""
        self.page.goto(file.as_uri() + fragment)
        return self.page

    def _note(self, request: Any) -> None:
        if not request.url.startswith("file://"):
            self.elsewhere.append(request.url)
