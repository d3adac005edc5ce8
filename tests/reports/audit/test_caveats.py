"""A method whose maps are not complete has the words beside each of its numbers; no other method has them."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from pipeline.store.attributes import CheckResult
from reports.audit import localisation, page, scale, stability, summary, transfer
from reports.audit.readings import Readings
from reports.audit.run_record import RunRecord
from reports.audit.searches import SearchQuality
from reports.audit.sections import SECTIONS, AuditResult
from reports.audit.summarise import summarise
from reports.cells import Table
from reports.formatting import method_title
from reports.plot_primitives import DAGGER, label_methods

Made = Callable[..., AuditResult]
MARKED = "deep_lift"
METHODS = ("srd", "saliency", MARKED, "random")
WORDS = "not complete on this network: 12.3 %"
CONDITIONS = ("random_sign@8/255", "manipulate:srd@8/255", f"manipulate:{MARKED}@8/255")


@pytest.fixture
def result(made: Made) -> AuditResult:
    """A result by hand, of which DeepLIFT, lowest in all, has a caveat."""
    values = {"srd": 0.9, "saliency": 0.8, MARKED: 0.4, "random": 0.0}
    found = made(
        dict.fromkeys(CONDITIONS, values),
        METHODS,
        other_class=values | {MARKED: 0.95},
        localisation=values | {MARKED: 0.95},
        searches=tuple(SearchQuality.model_construct(condition=name, values={}) for name in CONDITIONS[1:]),
        evidence={},
    )
    methods = tuple(each.model_copy(update={"caveat": WORDS if each.name == MARKED else ""}) for each in found.methods)
    return found.model_copy(update={"methods": methods})


def tables_of(result: AuditResult) -> Iterator[Table]:
    yield scale.table(result)
    yield scale.calibrated_table(result)
    yield stability.table(result, "pearson", "all")
    yield localisation.table(result)
    yield from (transfer.table(each, result.caveats) for each in result.transfer)


def test_the_row_of_the_method_carries_the_words_in_every_table_and_no_other_row_does(result: AuditResult) -> None:
    for table in tables_of(result):
        marked = [row[0].text for row in table.rows if any(WORDS in cell.detail for cell in row)]
        assert marked == [method_title(MARKED)], table.caption
        assert WORDS in table.rows[2][0].detail, table.caption


def test_so_does_the_search_of_the_attack_on_the_method(result: AuditResult) -> None:
    rows = transfer.searches_table(result).rows
    assert {row[0].text: row[0].detail for row in rows} == {
        "Manipulation of SRD, 8/255": "",
        "Manipulation of DeepLIFT, 8/255": WORDS,
    }


def test_every_sentence_with_its_numbers_carries_the_words(result: AuditResult) -> None:
    told = [sentence for sentence in summary.summary(result) if re.search(r"\bDeepLIFT\b.*\d\.\d", sentence)]
    assert len(told) >= 4  # what no attack does, the attack, class-blind maps, localisation
    for sentence in told:
        assert sentence.count(f"DeepLIFT ({WORDS})") == sentence.count("DeepLIFT"), sentence
    others = [sentence for sentence in summary.summary(result) if "DeepLIFT" not in sentence]
    assert not any(WORDS in sentence for sentence in others)


def test_every_figure_that_shows_it_says_so_in_caption_and_alternative_text(result: AuditResult) -> None:
    drawn = [picture for section in (scale.STABILITY, transfer.TRANSFER, localisation.LOCALISATION)
             for picture in section.figures(result)]  # fmt: skip
    assert len(drawn) >= 4
    for picture in drawn:
        assert f"{DAGGER} DeepLIFT: {WORDS}." in picture.caption, picture.name
        assert WORDS in picture.alt, picture.name


def test_a_figure_has_a_dagger_at_its_label_alone() -> None:
    axes = Figure().subplots()
    label_methods(axes, METHODS, {MARKED: WORDS})
    daggers = [label.get_text() for label in axes.get_yticklabels() if DAGGER in label.get_text()]
    assert daggers == [f"DeepLIFT {DAGGER}"]


def test_nothing_is_marked_where_no_method_has_a_caveat(made: Made) -> None:
    plain = made(dict.fromkeys(CONDITIONS[:1], dict.fromkeys(METHODS, 0.5)), METHODS)
    assert all(
        row[0].detail == "" for table in (scale.table(plain), scale.calibrated_table(plain)) for row in table.rows
    )
    assert not any(DAGGER in picture.caption for picture in scale.STABILITY.figures(plain))


# From the store to every file


@pytest.fixture(scope="module", params=["saliency", "grad_cam"])
def marked(request: pytest.FixtureRequest, dataset: xr.Dataset) -> tuple[str, AuditResult]:
    """A method of the smoke run, which a self-check has marked, and the result."""
    name = request.param
    check = CheckResult(name="a law", found=WORDS, method=name, is_marked=True).model_dump()
    attributes = {**dataset.attrs, "self_checks": [*dataset.attrs["self_checks"], check]}
    return name, summarise(Readings(dataset.assign_attrs(attributes)), RunRecord({"perturb": (1, 1)}))


def test_the_result_holds_it_as_a_fact_of_the_method(marked: tuple[str, AuditResult]) -> None:
    name, result = marked
    assert {method.name: method.caveat for method in result.methods if method.caveat} == {name: WORDS}
    again = AuditResult.model_validate_json(result.model_dump_json())
    assert again.caveats == {name: WORDS}


def test_every_frame_has_it_beside_each_row_of_the_method(marked: tuple[str, AuditResult]) -> None:
    name, result = marked
    frames = page.frames(result)
    of_methods = {file: frame for file, frame in frames.items() if {"method", "evaluating"} & {*frame}}
    stable = {"headline", "stability", "references", "calibrated", "localisation", "transfer", "sensitivity"}
    judged = {"verdicts", "comparisons", "ranks", "noise-equivalence", "coupling-exploratory"}
    faithful = {"faithfulness", "removal-curves", "removal-leads", "faithful-and-stable", "faithful-under-attack"}
    redrawn = {"randomisation", "randomisation-above-other-image", "randomisation-floor", "complexity-rise"}
    assert set(of_methods) == stable | judged | faithful | redrawn
    for file, frame in of_methods.items():
        method: pd.Series = frame["evaluating" if "evaluating" in frame else "method"]
        assert (frame["caveat"] == np.where(method == name, WORDS, "")).all(), file
        assert (frame["caveat"] != "").any() or name not in set(method), file


def test_every_row_of_the_page_and_of_the_summary_that_is_headed_by_the_method_has_it(
    marked: tuple[str, AuditResult],
) -> None:
    name, result = marked
    text = page.html(result, [], [])
    rows = [row for section in SECTIONS for row in rows_of(text, section.id)]
    headed = [row for row in rows if re.match(rf"<th[^>]*>{re.escape(method_title(name))}<", row)]
    assert len(headed) >= 8
    assert all(WORDS in row for row in headed)
    others = [row for row in rows if row not in headed and WORDS in row]
    assert all(method_title(name) in row or "a law" in row for row in others), others
    lines = [line for line in page.markdown(result).splitlines() if line.startswith(f"| {method_title(name)} ")]
    assert lines
    assert all(WORDS in line for line in lines)


def rows_of(text: str, section: str) -> list[str]:
    """The rows of all tables of a section, from their first cell on."""
    body = text[text.index(f'<section id="{section}">') :].partition("\n</section>\n")[0]
    return [row.strip() for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]
