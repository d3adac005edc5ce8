"""The forms of a report as people open them: the folder and the single file from disk in a browser, and the PDF."""

import re
import shutil
import subprocess
from pathlib import Path

import chromium
import pytest
from chromium import Scheme

from reports.audit.maps import Case
from reports.audit.page import html
from reports.audit.sections import AuditResult
from reports.page import style_sheet
from reports.printing import print_page
from srd.errors import PrintError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="needs chromium, which is not installed"),
]
MOST_PAGES = 15
STRANGE = (
    "<script>alert(1)</script>",
    "$x_1$",
    "\u0643\u0644\u0628 \u05db\u05dc\u05d1 dog",
    "a" * 200,
    "&amp; \"quoted\" 'name'",
)


@pytest.fixture(params=["folder", "single file"])
def page(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Path:
    """A page, moved away from all else, as if it had been sent."""
    if request.param == "folder":
        shutil.copytree(folder / "report", tmp_path / "sent")
        return tmp_path / "sent" / "index.html"
    return Path(shutil.copy(folder / "report.html", tmp_path))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_from_disk_without_a_word_on_the_console(
    page: Path, width: int, scheme: Scheme, tmp_path: Path
) -> None:
    assert chromium.console_of(page, width, scheme, tmp_path) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_every_picture_is_seen_and_the_page_does_not_scroll_sideways(page: Path, width: int, tmp_path: Path) -> None:
    found = chromium.measure(page, width, tmp_path)
    assert (found["width"], found["missing"], found["unseen"], found["captions"]) == (width, [], [], [])


def test_a_page_that_breaks_its_policy_is_heard(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    text = (folder / "report.html").read_text(encoding="utf-8")
    broken.write_text(
        text.replace("<main>", '<main><img src="https://example.org/a.png" alt="a">', 1), encoding="utf-8"
    )
    assert "example.org" in "".join(chromium.console_of(broken, 1280, "light", tmp_path))


@pytest.fixture(scope="module")
def printed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("printed") / "report.pdf"
    print_page(folder / "report" / "index.html", file)
    return file


def said_of(tool: str, *arguments: str) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}, which is not installed")
    return subprocess.run([tool, *arguments], capture_output=True, encoding="utf-8", check=True).stdout


def test_the_pdf_is_a4_portrait_tagged_and_short(printed: Path) -> None:
    facts = dict(re.findall(r"^([^:]+): +(.*)$", said_of("pdfinfo", str(printed)), re.MULTILINE))
    assert facts["Tagged"] == "yes"
    assert facts["Page size"].endswith("(A4)")
    assert "594.96 x 841.92" in facts["Page size"]
    assert int(facts["Pages"]) <= MOST_PAGES
    assert printed.stat().st_size < 5_000_000


def test_no_page_of_the_pdf_is_empty_and_the_first_tells_the_verdict(printed: Path, folder: Path) -> None:
    pages = said_of("pdftotext", "-layout", str(printed), "-").split("\f")[:-1]
    result = AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))
    assert result.audit_verdict is not None
    assert result.audit_verdict.outcome in pages[0]
    assert all(len(each.split()) > 10 for each in pages)
    assert "is not on paper" in pages[-1]


def test_without_a_browser_it_is_said_what_a_pdf_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("reports.printing.which", lambda _: None)
    monkeypatch.setattr("reports.printing.find_spec", lambda _: None)
    with pytest.raises(PrintError, match="a PDF needs Chromium"):
        print_page(tmp_path / "index.html", tmp_path / "report.pdf")


def named(case: Case, name: str) -> Case:
    names = ("label", "clean_prediction", "perturbed_prediction", "explained", "image")
    return case.model_copy(update=dict.fromkeys(names, name))


@pytest.mark.parametrize("name", STRANGE, ids=["script", "formula", "right to left", "200 characters", "quotes"])
def test_strange_names_of_classes_and_images_do_no_harm(folder: Path, tmp_path: Path, name: str) -> None:
    result = AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))
    strange = {
        "cases": tuple(named(case, name) for case in result.cases),
        "not_measured": (f"{name} was left out.",),
        "overview": tuple(row.model_copy(update={"label": name, "explained": name}) for row in result.overview),
    }
    shutil.copytree(folder / "report", tmp_path / "strange")
    page = tmp_path / "strange" / "index.html"
    page.write_text(html(result.model_copy(update=strange), (), ()), encoding="utf-8")
    (tmp_path / "strange" / "style.css").write_text(style_sheet(), encoding="utf-8")
    assert "<script" not in page.read_text(encoding="utf-8")
    assert chromium.console_of(page, 1280, "light", tmp_path) == []
    wide = chromium.measure(page, 1280, tmp_path)
    assert (wide["width"], wide["cut"]) == (1280, [])
    small = chromium.measure(page, 390, tmp_path)
    assert (small["width"], small["captions"]) == (390, [])
