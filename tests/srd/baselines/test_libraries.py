"""Every baseline that a library has too, against that library's own maps."""

import pytest
from _pytest.mark import ParameterSet
from baselines_page import NAMED, page
from comparisons import COMPARISONS, EQUAL, SUBJECTS, Comparison, deviation
from measured_table import DOCS, frame


def marked(comparison: Comparison) -> ParameterSet:
    is_slow = comparison.method in {"score_cam", "ablation_cam"}
    return pytest.param(comparison, marks=pytest.mark.slow if is_slow else ())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize(
    "comparison", [marked(each) for each in COMPARISONS], ids=lambda each: f"{each.method}, {each.what[1:16]}"
)
def test_a_method_is_the_librarys_or_its_deviation_has_a_cause(comparison: Comparison, name: str) -> None:
    has_a_cause = name in (comparison.deviates or {})
    assert (deviation(comparison, name) > EQUAL) is has_a_cause


def test_the_page_in_docs_has_a_row_for_each_comparison_and_says_where_it_was_measured() -> None:
    written = page(lambda _: ["figure"] * len(SUBJECTS))
    assert frame((DOCS / "baselines.md").read_text(encoding="utf-8"), NAMED) == frame(written, NAMED)
