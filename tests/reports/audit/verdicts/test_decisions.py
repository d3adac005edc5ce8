"""A decision is made from one-sided 95 % bounds, never from the value."""

import numpy as np
import pytest
from scipy.stats import binom

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Decision, Outcome, Rule, decide, open_decision
from reports.audit.verdicts.reasons import Reason
from reports.audit.verdicts.samples import Sample


def criterion(metric: str = "own_image", at_least: float | None = 0.9, **keys: object) -> Criterion:
    condition = "clean" if metric.startswith("srg_") else "noise"
    return Criterion(metric=metric, condition=condition, at_least=at_least, why="a test", **keys)  # type: ignore[arg-type]


def hits(count: int, n: int, **keys: object) -> Sample:
    return Sample(np.array([1.0] * count + [0.0] * (n - count)), **keys)  # type: ignore[arg-type]


def decided(sample: Sample, asked: Criterion) -> Decision:
    return decide(sample, "noise@0.1", asked, Rule.of(asked))


@pytest.mark.parametrize(
    ("count", "n", "outcome"),
    [(28, 28, "INCONCLUSIVE"), (29, 29, "PASS"), (45, 46, "PASS"), (36, 36, "PASS"), (35, 36, "INCONCLUSIVE"),
     (28, 36, "FAIL"), (0, 2, "FAIL"), (0, 1, "INCONCLUSIVE")],
)  # fmt: skip
def test_a_rate_is_decided_by_exact_bounds(count: int, n: int, outcome: Outcome) -> None:
    """PASS: so many hits are less likely than 5 % at the bound. FAIL: so few are."""
    decision = decided(hits(count, n), criterion())
    assert decision.outcome == outcome
    assert (outcome == "PASS") == (binom.sf(count - 1, n, 0.9) < 0.05)
    assert (outcome == "FAIL") == (binom.cdf(count, n, 0.9) < 0.05)


def test_a_bound_that_is_only_reached_is_not_met() -> None:
    low = decided(hits(20, 20), criterion()).low
    assert low is not None
    assert decided(hits(20, 20), criterion(at_least=low)).outcome == "INCONCLUSIVE"
    assert decided(hits(20, 20), criterion(at_least=low - 1e-9)).outcome == "PASS"


def test_a_mean_of_few_images_is_not_decided() -> None:
    values = np.random.default_rng(0).normal(0.9, 0.01, 64)
    asked = criterion("pearson", 0.5)
    assert decided(Sample(values), asked).outcome == "PASS"
    few = decided(Sample(values[:31]), asked)
    assert (few.outcome, few.reason) == ("INCONCLUSIVE", Reason.TOO_FEW_IMAGES)
    assert few.would_decide == 32


def test_a_paired_difference_is_decided_from_eight_images_on() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.05, 8)
    asked = criterion("srg_above_random", 0.0)
    assert decided(Sample(values), asked).outcome == "PASS"
    assert decided(Sample(-values), asked).outcome == "FAIL"
    assert decided(Sample(values[:7]), asked).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("metric", "value", "bound", "outcome"),
    [
        ("srg_above_random", 0.0, 0.0, "FAIL"),
        ("srg_above_random", -0.1, 0.0, "FAIL"),
        ("srg_above_random", 0.1, 0.0, "INCONCLUSIVE"),
        ("pearson", 1.0, 0.5, "INCONCLUSIVE"),
        ("pearson", 0.2, 0.5, "FAIL"),
    ],
)
def test_equal_values_never_pass(metric: str, value: float, bound: float, outcome: Outcome) -> None:
    """They have no spread to tell how sure the mean is. A control compared with itself differs by nothing: it fails."""
    decision = decided(Sample(np.full(64, value)), criterion(metric, bound))
    assert decision.outcome == outcome
    assert decision.reason == (Reason.BOUND_MISSED if outcome == "FAIL" else Reason.NO_SPREAD)
    assert decision.would_decide is None


@pytest.mark.parametrize("n", [1, 7])
def test_few_equal_values_decide_nothing(n: int) -> None:
    decision = decided(Sample(np.zeros(n)), criterion("srg_above_random", 0.0))
    assert (decision.outcome, decision.reason) == ("INCONCLUSIVE", Reason.TOO_FEW_IMAGES)


def test_an_interval_that_ends_at_the_bound_misses_it() -> None:
    """The right side is strictly beyond the bound, so that the bound is no part of it."""
    rule = Rule(0.5, is_lower=True)
    assert (rule.is_missed(0.4, 0.5), rule.is_met(0.5, 0.6), rule.is_met(0.51, 0.6)) == (True, False, True)
    mirrored = Rule(0.5, is_lower=False)
    assert (mirrored.is_missed(0.5, 0.6), mirrored.is_met(0.4, 0.5), mirrored.is_met(0.4, 0.49)) == (True, False, True)


@pytest.mark.parametrize(("value", "outcome"), [(0.1, "PASS"), (0.9, "FAIL"), (0.5, "INCONCLUSIVE")])
def test_an_upper_bound_is_the_mirror_of_a_lower_one(value: float, outcome: Outcome) -> None:
    values = value + np.random.default_rng(0).normal(0, 0.05, 40)
    below = Criterion(metric="weights_similarity", condition="clean", at_most=0.5, why="a test")
    above = Criterion(metric="weights_similarity", condition="clean", at_least=-0.5, why="a test")
    assert decided(Sample(values), below).outcome == outcome
    assert decided(Sample(-values), above).outcome == outcome


@pytest.mark.parametrize("n_excluded", [1, 3, 30])
def test_what_the_undefined_could_turn_is_a_warning(n_excluded: int) -> None:
    """Without the undefined 60 of 60 pass; with them as misses 60 of 61 still do, 60 of 63 do not."""
    decision = decided(hits(60, 60, excluded={"the mask is empty": n_excluded}), criterion())
    assert decision.outcome == ("PASS" if n_excluded == 1 else "WARN")
    assert decision.undefined == n_excluded
    assert decision.n == 60


@pytest.mark.parametrize(
    ("excluded", "undefined", "reasons"),
    [
        ({}, {}, {}),
        ({"no answer": 2}, {}, {"no answer": 2}),
        ({"not finite": 1}, {"constant": 3}, {"constant": 3, "not finite": 1}),
        ({"constant": 1}, {"constant": 3}, {"constant": 4}),
    ],
)
def test_the_undefined_are_counted_by_reason(
    excluded: dict[str, int], undefined: dict[str, int], reasons: dict[str, int]
) -> None:
    decision = decided(hits(5, 10, excluded=excluded, undefined=undefined), criterion())
    assert (decision.undefined, decision.undefined_reasons) == (sum(reasons.values()), reasons)


def test_more_than_a_twentieth_undefined_is_a_warning_though_it_turns_nothing() -> None:
    assert decided(hits(1000, 1000, excluded={"undefined": 53}), criterion(at_least=0.5)).outcome == "WARN"
    assert decided(hits(1000, 1000, excluded={"undefined": 52}), criterion(at_least=0.5)).outcome == "PASS"


def test_fewer_images_than_the_criterion_asks_for_decide_nothing() -> None:
    decision = decided(hits(0, 50), criterion(min_n=51))
    assert (decision.outcome, decision.reason) == ("INCONCLUSIVE", Reason.TOO_FEW_IMAGES)
    assert decided(hits(0, 50), criterion(min_n=50)).outcome == "FAIL"
    assert decided(hits(29, 29), criterion(min_n=50)).would_decide == 50


def test_no_image_decides_nothing() -> None:
    decision = decided(hits(0, 0, excluded={"not computed": 5}), criterion())
    assert (decision.outcome, decision.value, decision.n) == ("INCONCLUSIVE", None, 0)
    assert decision.reason == Reason.NOT_MEASURED


@pytest.mark.parametrize(("count", "n"), [(35, 36), (20, 21), (32, 36)])
def test_the_number_of_images_that_would_decide_decides(count: int, n: int) -> None:
    decision = decided(hits(count, n), criterion())
    more = decision.would_decide
    assert decision.outcome == "INCONCLUSIVE"
    assert more is not None
    assert more > n
    share = count / n
    scaled = 2 * more  # a whole number of misses is near enough
    assert decided(hits(round(share * scaled), scaled), criterion()).outcome in ("PASS", "FAIL")


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
def test_the_share_that_may_miss_is_scaled(factor: float) -> None:
    asked = criterion()
    rule = Rule.of(asked).with_misses(factor, asked)
    assert 1 - rule.bound == pytest.approx(factor * 0.1)
    assert Rule.of(criterion("pearson", 0.9)).with_misses(factor, criterion("pearson", 0.9)).bound == 0.9


def test_what_was_not_measured_is_never_a_pass() -> None:
    decision = open_decision(criterion(), Reason.NOT_ATTACKED)
    assert (decision.outcome, decision.reason, decision.n) == ("INCONCLUSIVE", Reason.NOT_ATTACKED, 0)
