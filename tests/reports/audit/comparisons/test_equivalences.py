"""Whether an attack is no worse than noise, against scipy's t interval."""

import numpy as np
import pytest
from compared_methods import facts_of, store_of
from hand_made_readings import readings_of
from scipy import stats

from reports.audit.comparisons.equivalences import noise_equivalences

ATTACK, CONTROL = "manipulate:srd@8/255", "random_sign@8/255"


@pytest.mark.parametrize(("shift", "holds"), [(0.0, True), (0.06, True), (0.095, False), (-0.095, False), (0.3, False)])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_holds_if_the_interval_of_90_percent_lies_inside(shift: float, holds: bool, seed: int) -> None:
    dataset = store_of(20, ("srd",), (CONTROL, ATTACK))
    lost = np.random.default_rng(seed).normal(0, 0.03, 20)
    lost += shift - lost.mean()
    dataset.score.loc[{"perturbation": ATTACK, "metric": "pearson"}] = (0.5 - lost)[:, None]
    (found,) = noise_equivalences(readings_of(dataset), facts_of(dataset))
    interval = stats.ttest_1samp(lost, 0).confidence_interval(0.9)
    ends = found.equivalence.lower.value, found.equivalence.upper.value
    assert ends == pytest.approx((interval.low, interval.high))
    assert found.value == pytest.approx(shift, abs=1e-12)
    assert found.n == 20
    assert found.equivalence.holds is holds is bool(interval.low > -0.1 and interval.high < 0.1)


@pytest.mark.parametrize("n", [1, 5, 7])
def test_few_images_decide_nothing(n: int) -> None:
    dataset = store_of(n, ("srd",), (CONTROL, ATTACK))
    (found,) = noise_equivalences(readings_of(dataset), facts_of(dataset))
    assert found.equivalence.holds is None
    assert "fewer than 8 images" in found.equivalence.lower.reason


@pytest.mark.parametrize("conditions", [(ATTACK,), ("random_sign@4/255", ATTACK), (CONTROL, "flip_and_keep:srd@8/255")])
def test_without_a_control_of_equal_size_or_an_aim_there_is_no_test(conditions: tuple[str, ...]) -> None:
    dataset = store_of(8, ("srd",), conditions)
    assert noise_equivalences(readings_of(dataset), facts_of(dataset)) == ()


def test_the_verdict_on_the_attack_stands_beside_it() -> None:
    dataset = store_of(8, ("srd",), (CONTROL, ATTACK))
    (found,) = noise_equivalences(readings_of(dataset), facts_of(dataset, {ATTACK: "attack unreliable"}))
    assert (found.attack_verdict, found.control) == ("attack unreliable", CONTROL)
