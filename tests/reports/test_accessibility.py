"""Everybody can read the forms of a report: axe-core finds nothing against them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import started_browser, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
FORMS = {"folder": "report/index.html", "single file": "report.html", "viewer": "report/viewer/index.html"}
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true; })"
SHOWN = """Boolean(typeof viewer === "object" ? viewer.drawn : document.querySelector("main img").naturalWidth)"""
"""Whether the first picture of a page, or the first map of the viewer, is there."""


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with started_browser() as found:
        yield found


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / FORMS[request.param]


def opened(browser: "Browser", form: Path, width: int, scheme: str) -> "Page":
    """Return an open page whose policy does not keep axe-core out."""
    page = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        bypass_csp=True,
    ).new_page()
    page.goto(form.as_uri())
    wait_until(page, SHOWN)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(browser: "Browser", form: Path, width: int, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(browser, form, width, scheme)
    page.evaluate(OPEN_ALL)
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()


def test_axe_sees_what_is_wrong(browser: "Browser", folder: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(browser, folder / FORMS["folder"], 1280, "light")
    page.evaluate("document.querySelector('main img').removeAttribute('alt')")
    assert axe.run(page).violations_count == 1
