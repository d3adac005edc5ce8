"""A section is one row: what it says of itself is all that page, navigation, summary and CSV files need."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from reports.audit import page
from reports.audit.identity_tables import IDENTITY
from reports.audit.maps import MAPS
from reports.audit.section import Section
from reports.audit.sections import SECTIONS, AuditResult
from reports.cells import Cell, Table
from reports.page import Exhibit
from reports.plot_primitives import Picture
from srd.registry import MAP_METRICS

TABLE = Table("What was counted.", ("what", "number"), ((Cell("pixels"), Cell("0.25")),))
PICTURE = Picture("counts", b"<svg/>", "Counts.", "Pixels 0.25.")
ADDED: Section[AuditResult] = Section(
    id="counted",
    title="Counts",
    heading="What was counted",
    body=lambda result, drawn: {
        "paragraphs": ("A paragraph.",),
        "exhibits": (Exhibit(drawn["counts"], (TABLE,)),),
        "items": ("An item.",),
    },
    frames=lambda result: {"counts": pd.DataFrame({"pixels": [0.25]})},
    figures=lambda result: [PICTURE],
    summary_tables=lambda result: [TABLE],
)


@pytest.fixture
def result(folder: Path) -> AuditResult:
    return AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))


def test_the_page_has_every_section_in_its_order_and_the_navigation_too(folder: Path) -> None:
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    ids = [section.id for section in SECTIONS]
    assert re.findall(r'<section id="(\w+)">', text) == [*ids, "glossary"]
    assert ids == list(dict.fromkeys(ids))
    assert re.findall(r'<li><a href="#(\w+)">', text) == [*ids, "glossary"]


def test_a_row_more_is_all_that_a_new_section_needs(result: AuditResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "SECTIONS", (MAPS, IDENTITY, ADDED))
    drawn = list(page.pictures(result))
    assert drawn == [PICTURE]
    assert list(page.frames(result)) == ["counts"]
    text, summary = page.html(result, drawn, []), page.markdown(result)
    assert '<li><a href="#counted">Counts</a></li>' in text
    shown = text[text.index('<section id="counted">') : text.index("</main>")]
    parts = ("<h2>What was counted</h2>", "<p>A paragraph.</p>", 'src="figures/counts.svg"', "<li>An item.</li>")
    assert all(part in shown for part in parts)
    assert "<caption><span>What was counted.</span></caption>" in shown
    assert "**What was counted.**" in summary


def test_only_metrics_that_call_themselves_rates_are_0_or_1_for_every_map(dataset: xr.Dataset) -> None:
    for name, entry in MAP_METRICS.items():
        scores = dataset["score"].sel(metric=name).values
        found = set(scores[~np.isnan(scores)].tolist())
        assert (found <= {0.0, 1.0}) is entry.is_rate, name


def test_fields_of_the_result_stand_in_the_order_that_readers_know() -> None:
    fields = list(AuditResult.model_fields)
    ordered = ["summary", "identity", "conditions", "accuracy", "stability", "transfer", "quality", "cases", "limits"]
    assert [name for name in fields if name in ordered] == ordered
