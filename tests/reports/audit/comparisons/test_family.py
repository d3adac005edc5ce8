"""The declared family, on outcomes whose p-values are known: d of n images differ, all one way, so p = 2^(1 - d)."""

from math import nan, sqrt

import numpy as np
import pytest
from compared_methods import NOISE, facts_of, set_misses, store_of
from hand_made_readings import readings_of
from scipy import stats

from pipeline.plan.schema import REASONS, Reason
from reports.audit.comparisons.family import FamilyComparison, family_comparisons
from reports.audit.comparisons.section import family_sentence
from reports.audit.sections import AuditResult
from reports.result import Verdict

N = 12
ATTACKS = tuple(f"manipulate:{name}@8/255" for name in ("srd", "saliency"))


def family_of(misses: dict[str, int], n: int = N) -> dict[str, FamilyComparison]:
    """The family of SRD, whose maps are all hits, and others with so many misses under noise; all with the control."""
    dataset = store_of(n, ("srd", *misses, "random"))
    for method, count in misses.items():
        set_misses(dataset, NOISE, method, count)
    return {each.method: each for each in family_comparisons(readings_of(dataset), facts_of(dataset))}


@pytest.mark.parametrize(("first", "second"), [(12, 3), (9, 9), (4, 0), (1, 12)])
def test_p_values_and_their_adjustment_are_those_of_binomial_signs(first: int, second: int) -> None:
    found = family_of({"saliency": first, "grad_cam": second})
    alone = {"saliency": 2.0 ** (1 - first), "grad_cam": min(1.0, 2.0 ** (1 - second))}
    assert {name: each.p for name, each in found.items()} == pytest.approx(alone)
    least = min(alone, key=alone.__getitem__)
    other = next(name for name in alone if name != least)
    assert found[least].adjusted == pytest.approx(min(1.0, 2 * alone[least]))
    assert found[other].adjusted == pytest.approx(min(1.0, max(2 * alone[least], alone[other])))


@pytest.mark.parametrize("count", [1, 5, 11])
def test_difference_effect_and_detectable_difference(count: int) -> None:
    each = family_of({"saliency": count})["saliency"]
    differences = np.array([1.0] * count + [0.0] * (N - count))
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert each.difference.value == pytest.approx(count / N)
    assert each.difference.n == N
    assert (each.difference.low, each.difference.high) == pytest.approx((interval.low, interval.high))
    assert each.effect == 1.0
    quantiles = stats.t.ppf(0.975, N - 1) + stats.t.ppf(0.8, N - 1)
    assert each.detectable == pytest.approx(quantiles * differences.std(ddof=1) / sqrt(N))


def test_where_no_image_differs_there_is_neither_effect_nor_a_detectable_difference() -> None:
    each = family_of({"saliency": 0})["saliency"]
    assert (each.p, each.effect, each.detectable) == (1.0, None, None)
    assert each.difference.reason == "no interval: all values are equal"


@pytest.mark.parametrize(("n", "is_possible"), [(4, False), (6, False), (7, True), (N, True)])
def test_a_family_of_too_few_images_is_refused(n: int, is_possible: bool) -> None:
    """Two comparisons need 2 * 2^(1 - n) <= 0.05, so 7 images."""
    found = family_of({"saliency": n, "grad_cam": 0}, n)
    assert all((each.adjusted is not None) is is_possible for each in found.values())
    assert all(("cannot reach" in each.reason) is not is_possible for each in found.values())
    assert found["saliency"].is_significant is is_possible


def test_controls_are_in_no_family_and_without_srd_there_is_none() -> None:
    assert list(family_of({"saliency": 0, "grad_cam": 0})) == ["grad_cam", "saliency"][::-1]
    dataset = store_of(N, ("saliency", "random"))
    assert family_comparisons(readings_of(dataset), facts_of(dataset)) == ()


@pytest.mark.parametrize(
    ("verdicts", "conditions"),
    [
        ({}, ATTACKS),
        (dict.fromkeys(ATTACKS[:1], "attack unreliable"), (NOISE, NOISE)),
        (dict.fromkeys(ATTACKS[1:], "attack unchecked"), (NOISE, NOISE)),
    ],
)
def test_each_is_attacked_itself_where_both_attacks_are_reliable(
    verdicts: dict[str, Verdict], conditions: tuple[str, str]
) -> None:
    dataset = store_of(N, ("srd", "saliency"), (NOISE, *ATTACKS))
    set_misses(dataset, ATTACKS[0], "srd", 3)
    set_misses(dataset, ATTACKS[1], "saliency", 1)
    set_misses(dataset, ATTACKS[0], "saliency", N)  # the attack on another method does not count
    (each,) = family_comparisons(readings_of(dataset), facts_of(dataset, verdicts))
    assert each.conditions == conditions
    assert each.difference.value == pytest.approx(-2 / N if each.is_attack else 0)


@pytest.mark.parametrize(
    ("conditions", "distances", "chosen"),
    [
        (("gaussian_noise@0.1", "random_sign@8/255"), {"gaussian_noise": 1.0, "random_sign": 2.0}, "random_sign@8/255"),
        (("gaussian_noise@0.1", "random_sign@8/255"), {"gaussian_noise": 3.0, "random_sign": 2.0}, NOISE),
        ((NOISE, "manipulate:srd@4/255", "manipulate:saliency@8/255"), {}, NOISE),
        ((NOISE, "flip_and_keep:srd@8/255", "flip_and_keep:saliency@8/255"), {}, NOISE),
        ((NOISE, *(f"{a}:{m}@{s}/255" for a, s in (("top_k", 4), ("top_k", 8), ("manipulate", 16))
                   for m in ("srd", "saliency"))), {}, "top_k:srd@8/255"),
    ],
    ids=["furthest noise", "the other noise", "other strengths", "keeps the map", "first attack, largest strength"],
)  # fmt: skip
def test_the_condition_is_chosen_without_a_look_at_maps(
    conditions: tuple[str, ...], distances: dict[str, float], chosen: str
) -> None:
    dataset = store_of(N, ("srd", "saliency"), conditions)
    (each,) = family_comparisons(readings_of(dataset), facts_of(dataset, distances=distances))
    assert each.conditions[0] == chosen


def test_of_several_draws_all_must_hit_and_undefined_maps_are_misses() -> None:
    dataset = store_of(N, ("srd", "saliency"), (f"{NOISE}#1", f"{NOISE}#2"))
    set_misses(dataset, f"{NOISE}#1", "saliency", 1)
    where = {"perturbation": f"{NOISE}#2", "method": "saliency"}
    for name in ("score", "target_similarity"):
        dataset[name][3].loc[where] = nan
    dataset.reason[3].loc[where] = Reason.NO_CONTRAST
    (each,) = family_comparisons(readings_of(dataset), facts_of(dataset))
    assert REASONS[Reason.NO_CONTRAST]
    assert each.difference.value == pytest.approx(2 / N)
    assert each.difference.n == N


@pytest.mark.parametrize(
    ("misses", "sentence"),
    [
        ({"saliency": 12, "grad_cam": 12}, "By own image SRD is better than Saliency and Grad-CAM, at 5 % for all 2"),
        ({"saliency": 12, "grad_cam": 2}, "By own image SRD is better than Saliency, at 5 % for all 2 comparisons"),
        ({"saliency": 0, "grad_cam": 2}, "By own image SRD is told apart from no other method, at 5 % for all 2"),
    ],
)
def test_the_sentence_names_what_is_told_apart(misses: dict[str, int], sentence: str) -> None:
    family = tuple(family_of(misses).values())
    dataset = store_of(N, ("srd", *misses))
    result = facts_of(dataset).model_copy(update={"family": family})
    assert family_sentence(result).startswith(sentence)
    assert ("no image tells" in family_sentence(result)) is (0 in misses.values())


def test_the_sentence_says_why_nothing_can_be_shown() -> None:
    few = facts_of(store_of(4, ("srd", "saliency"))).model_copy(
        update={"family": tuple(family_of({"saliency": 4}, 4).values())}
    )
    assert "1 comparison of 4 images cannot reach 0.05" in family_sentence(few)
    none: AuditResult = facts_of(store_of(4, ("saliency",))).model_copy(update={"family": ()})
    assert "no family of comparisons was declared" in family_sentence(none)
