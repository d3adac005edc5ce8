"""Which signs speak for a search or against it, from evidence whose numbers are known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from reports.audit.facts import ConditionFacts
from reports.audit.searches import SearchQuality, searches

N = 8
GOOD = {"clean": 0.1, "quarter": 0.3, "half": 0.4, "full": 0.6, "gain_first": 0.1, "gain_last": 0.5}
"""Of every image, but for some noise; controls are at 0.1 and gradients right."""


def searched(name: str = "manipulate", **given: Any) -> SearchQuality:
    """What is said of an attack with this evidence; NaN where an image was not computed."""
    random = np.random.default_rng(0)
    evidence: dict[str, NDArray[np.float64]] = {key: 0.1 + 0.01 * random.random(N) for key in EVIDENCE}
    evidence |= {key: value + 0.01 * random.random(N) for key, value in GOOD.items()}
    evidence |= {"gradient_error": np.zeros(N)} | {key: np.array(value, float) for key, value in given.items()}
    facts = ConditionFacts.model_construct(
        id="attack", name=name, title=PERTURBATIONS[name].title, against="srd", strength=0.1, strength_text="0.1"
    )
    readings: Any = SimpleNamespace(evidence=lambda _: evidence)
    (told,) = searches(readings, [facts])
    return told


def verdicts(told: SearchQuality) -> dict[str, bool | None]:
    return {check.name: check.passed for check in told.checks}


def test_a_good_search_passes_all_checks() -> None:
    assert set(verdicts(searched()).values()) == {True}


def test_a_control_that_does_better_is_a_failed_check() -> None:
    failed = {name for name, passed in verdicts(searched(random_point=np.full(N, 0.9))).items() if not passed}
    assert failed == {"beats random noise of equal size"}


def test_a_control_of_which_next_to_nothing_is_known_decides_nothing() -> None:
    known = np.where(np.arange(N) < 4, 0.9, np.nan)
    checks = {check.name: check for check in searched(random_point=known).checks}
    assert checks["beats random noise of equal size"].passed is None
    assert "n = 4" in checks["beats random noise of equal size"].detail
    assert verdicts(searched(random_point=np.where(np.arange(N) < 5, 0.9, np.nan)))[
        "beats random noise of equal size"
    ] is False  # fmt: skip


def test_gradients_of_images_that_were_not_computed_are_not_counted_as_wrong() -> None:
    name = "gradient agrees with finite differences"
    half = np.where(np.arange(N) < 4, 0.0, np.nan)
    assert verdicts(searched(gradient_error=half))[name] is True
    assert verdicts(searched(gradient_error=np.where(half == 0, 0.0, np.inf)))[name] is False
    assert verdicts(searched(gradient_error=np.full(N, np.nan)))[name] is None


def test_an_attack_that_flips_no_prediction_is_told_from_one_that_flips_some() -> None:
    nothing = dict.fromkeys(("quarter", "half", "full", "random_point", "random_step", "pgd"), np.full(N, -np.inf))
    assert verdicts(searched("flip_and_keep", **nothing))["succeeds on an image"] is False
    some = np.where(np.arange(N) < 1, 0.9, -np.inf)
    assert verdicts(searched("flip_and_keep", full=some))["succeeds on an image"] is True
    assert verdicts(searched("flip_and_keep", full=np.full(N, np.nan)))["succeeds on an image"] is None
    assert "succeeds on an image" not in verdicts(searched("manipulate"))
