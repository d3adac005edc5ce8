"""No page is cut: on a screen, on a phone and on paper. A browser measures it."""

from pathlib import Path

import chromium
import pytest

from reports.cells import Cell, Table
from reports.page import style_sheet, template_environment

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="needs chromium, which is not installed")


@pytest.fixture
def page(folder: Path) -> Path:
    return folder / "report" / "index.html"


def test_on_a_screen_no_table_and_no_caption_is_cut(page: Path, tmp_path: Path) -> None:
    measured = chromium.measure(page, 1280, tmp_path)
    assert measured["tables"] > 10
    assert (measured["width"], measured["cut"], measured["narrow"]) == (1280, [], [])


def test_a_phone_shows_whole_captions_and_does_not_scroll_sideways(page: Path, tmp_path: Path) -> None:
    measured = chromium.measure(page, 390, tmp_path)
    assert (measured["width"], measured["captions"], measured["narrow"]) == (390, [], [])


def test_on_paper_nothing_is_cut(page: Path, tmp_path: Path) -> None:
    measured = chromium.measure(chromium.lay_out_for_print(page, tmp_path), chromium.PAPER, tmp_path)
    assert (measured["width"], measured["cut"], measured["narrow"]) == (chromium.PAPER, [], [])


WIDE = Table(
    "Twenty columns of differences with long intervals, under a caption that is longer than a phone is wide.",
    ("method", *(f"Untargeted manipulation {number}/255, method itself" for number in range(20))),
    ((Cell("Expected Gradients at layer4"), *(Cell("-0.986", "[-0.986,\N{NO-BREAK SPACE}-0.548]\nn = 1000"),) * 20),),
)


@pytest.mark.parametrize("width", [1280, chromium.PAPER])
def test_the_widest_table_is_cut_neither_on_a_screen_nor_on_paper(tmp_path: Path, width: int) -> None:
    source = (
        '<link rel="stylesheet" href="style.css">{% from "macros.html.j2" import table %}{{ table(wide, "numbers") }}'
    )
    page = tmp_path / "page" / "index.html"
    page.parent.mkdir()
    page.write_text(
        f"<!DOCTYPE html><body>{template_environment().from_string(source).render(wide=WIDE)}", encoding="utf-8"
    )
    (page.parent / "style.css").write_text(style_sheet(), encoding="utf-8")
    shown = page if width == 1280 else chromium.lay_out_for_print(page, tmp_path)
    measured = chromium.measure(shown, width, tmp_path)
    assert (measured["width"], measured["cut"], measured["narrow"]) == (width, [], [])
