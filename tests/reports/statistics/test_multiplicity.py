"""Holm's rule in a declared family, and families that can show nothing."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from reports.statistics import Family, PValue, adjust
from reports.statistics.multiplicity import holm, refusal_of_few


def slow_holm(p_values: list[float]) -> list[float]:
    """The smallest times their number, the next times one less, ..., and none smaller than one before it."""
    adjusted, most = [0.0] * len(p_values), 0.0
    for step, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        most = max(most, min(1.0, p_values[place] * (len(p_values) - step)))
        adjusted[place] = most
    return adjusted


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.03], [0.2, 0.001, 0.001, 0.9, 0.02]])
def test_holm_is_its_definition_and_that_of_statsmodels(p_values: list[float]) -> None:
    found = holm(np.array(p_values)).tolist()
    assert found == pytest.approx(slow_holm(p_values))
    assert found == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def family(k: int) -> Family:
    return Family(tuple(f"srd against {name}" for name in "abcdefghijklmnopqrstuvwxyz"[:k]), "They are the question.")


def test_a_comparison_without_p_still_counts() -> None:
    tests = {name: PValue(p, 20) for name, p in zip(family(3).comparisons, (0.02, None, 0.01), strict=True)}
    found = adjust(family(3), tests)
    assert [each.adjusted for each in found] == [pytest.approx(0.04), None, pytest.approx(0.03)]
    assert [each.is_significant for each in found] == [True, False, True]
    assert found[1].reason == "no image has both values"


@pytest.mark.parametrize(("comparisons", "needed"), [(1, 6), (20, 10), (210, 14)])
def test_families_need_as_many_images_as_their_floor_says(comparisons: int, needed: int) -> None:
    assert refusal_of_few([needed] * comparisons) == ""
    refused = refusal_of_few([needed - 1] * comparisons)
    assert refused.endswith(f"{needed} images can")
    assert f"of {needed - 1} images cannot reach 0.05" in refused


def test_a_family_can_be_too_large_for_any_number_of_images() -> None:
    assert refusal_of_few([64] * 1000).endswith("however many the images")


def test_a_family_of_few_images_is_refused() -> None:
    found = adjust(family(20), {name: PValue(2 / 2**9, 9) for name in family(20).comparisons})
    assert {each.adjusted for each in found} == {None}
    assert not any(each.is_significant for each in found)
    assert {each.reason for each in found} == {
        "20 comparisons of 9 images cannot reach 0.05 in one family: the least p-value is 0.0039; 10 images can"
    }


def test_a_family_of_nothing_has_no_results() -> None:
    assert adjust(Family((), "It is empty."), {}) == ()
