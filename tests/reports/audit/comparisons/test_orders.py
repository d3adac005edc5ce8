"""Ranks and agreement of metrics, on scores whose order is known."""

import pytest
from asked_again_stores import ask_again, set_quality
from compared_methods import NOISE, facts_of, set_misses, store_of
from hand_made_readings import readings_of

from reports.audit.comparisons.orders import concordances, rank_orders

METHODS = ("srd", "saliency", "grad_cam")


@pytest.mark.parametrize("n", [5, 6, 10])
def test_a_method_that_always_hits_is_ranked_above_one_that_never_does(n: int) -> None:
    """One pair: 2^(1 - n) <= 0.05 from 6 images on."""
    ranks = {"srd": (1, 1), "random": (2, 2)} if n >= 6 else {"srd": (1, 2), "random": (1, 2)}
    dataset = store_of(n, ("srd", "random"))
    set_misses(dataset, NOISE, "random", n)
    (order,) = rank_orders(readings_of(dataset), facts_of(dataset))
    assert {each.method: (each.low, each.high) for each in order.ranks} == ranks
    assert {each.method: each.value for each in order.ranks} == {"srd": 1.0, "random": 0.0}
    assert all(("cannot reach" in each.reason) is (n < 6) for each in order.ranks)


def test_under_attack_only_methods_with_a_reliable_attack_are_ranked() -> None:
    attacks = tuple(f"manipulate:{name}@8/255" for name in METHODS)
    dataset = store_of(6, (*METHODS, "random"), (NOISE, *attacks))
    result = facts_of(dataset, {attacks[1]: "attack unreliable"})
    noise, attacked = rank_orders(readings_of(dataset), result)
    assert [each.method for each in noise.ranks] == [*METHODS, "random"]
    assert [each.method for each in attacked.ranks] == ["srd", "grad_cam"]
    assert (noise.is_attack, attacked.is_attack) == (False, True)
    alone = facts_of(dataset, dict.fromkeys(attacks[1:], "attack unreliable"))
    assert len(rank_orders(readings_of(dataset), alone)) == 1


@pytest.mark.parametrize(("changes", "w"), [((0.1, 0.2, 0.3), 1.0), ((0.3, 0.2, 0.1), 0.0), ((0.2, 0.1, 0.3), 0.75)])
def test_concordance_of_two_metrics_of_opposite_direction(changes: tuple[float, float, float], w: float) -> None:
    """Pearson orders SRD, Saliency, Grad-CAM; of two orders W = (1 + Spearman's) / 2."""
    dataset = store_of(6, (*METHODS, "random"))
    for method, pearson, change in zip(METHODS, (0.9, 0.8, 0.7), changes, strict=True):
        where = {"perturbation": NOISE, "method": method}
        dataset.score.loc[where | {"metric": "pearson"}] = pearson
        dataset.score.loc[where | {"metric": "relative_change"}] = change
    (found,) = concordances(readings_of(dataset), facts_of(dataset))
    assert (found.category, found.condition, found.methods) == ("similarity", NOISE, METHODS)
    assert (found.metrics, found.left_out) == (("pearson", "relative_change"), ())
    assert found.estimate.value == pytest.approx(w)


@pytest.mark.parametrize(("gaps", "w"), [((0.1, 0.2, 0.3), 1.0), ((0.3, 0.2, 0.1), 0.0)])
def test_metrics_of_faithfulness_agree_on_clean_images(gaps: tuple[float, float, float], w: float) -> None:
    """Mu-fidelity orders SRD, Saliency, Grad-CAM; infidelity is better the lower. Variants of fills do not count."""
    dataset = ask_again(store_of(6, (*METHODS, "random")))
    for method, fidelity, gap in zip(METHODS, (0.9, 0.8, 0.7), gaps, strict=True):
        set_quality(dataset, "mu_fidelity", fidelity, method)
        set_quality(dataset, "infidelity", gap, method)
        set_quality(dataset, "srg_black", 1 - fidelity, method)
    _, found = concordances(readings_of(dataset), facts_of(dataset))
    assert (found.category, found.condition, found.metrics) == ("faithfulness", "clean", ("mu_fidelity", "infidelity"))
    assert set(found.left_out) == {"deletion", "insertion", "srg", "single_deletion", "sensitivity_n", "completeness"}
    assert found.estimate.value == pytest.approx(w)


def test_a_metric_without_a_value_for_one_method_is_left_out_by_name() -> None:
    dataset = store_of(6, METHODS)
    (found,) = concordances(readings_of(dataset), facts_of(dataset))
    assert (found.metrics, found.left_out) == (("pearson",), ("relative_change",))
    assert found.estimate.value is None
