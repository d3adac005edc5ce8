"""A page as one file: whole without any other, each sheet of maps held once, no link that leads out."""

from base64 import b64encode
from hashlib import sha256

from reports.single_file import single_file

STYLE = "p { color: red; }"
PAGE = (
    "<head><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self'\">"
    '<link rel="stylesheet" href="style.css"></head><body><p>See <a href="#maps">maps</a>, '
    '<a href="audit.json">audit.json</a>. <a class="data" href="data/a.csv">Numbers as CSV</a></p>'
    '<img src="figures/a.svg" alt="a">'
    '<svg viewBox="0 0 2 2"><image href="maps/m.png" width="4" height="2"/></svg>'
    '<svg viewBox="2 0 2 2"><image href="maps/m.png" width="4" height="2"/></svg></body>'
)
FILES = {"figures/a.svg": b"<svg/>", "maps/m.png": b"\x89PNG"}


def test_pictures_and_style_are_inside_and_each_sheet_once() -> None:
    page = single_file(PAGE, STYLE, FILES)
    assert f"<style>{STYLE}</style>" in page
    assert f'src="data:image/svg+xml;base64,{b64encode(b"<svg/>").decode()}"' in page
    assert page.count(f"data:image/png;base64,{b64encode(FILES['maps/m.png']).decode()}") == 1
    assert page.count('<use href="#sheet-1"/>') == 2


def test_links_lead_to_places_of_the_page_alone() -> None:
    page = single_file(PAGE, STYLE, FILES)
    assert '<a href="#maps">maps</a>, audit.json.</p>' in page
    assert "CSV" not in page


def test_its_policy_allows_its_own_style_and_pictures_inside_alone() -> None:
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    assert f'content="{policy}"' in single_file(PAGE, STYLE, FILES)
