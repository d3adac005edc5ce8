"""Samples are taken from the readings of a store: of several draws the worst, and repeats where a method draws."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hand_made_readings import readings_of, set_fault, set_predictions, set_scores, small_store

from pipeline.plan.schema import Reason
from reports.audit.facts import ConditionFacts, MethodFacts
from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.evidence import BASE, Evidence, Setting
from reports.audit.verdicts.samples import Sample

DRAWS = ("noise#1", "noise#2")
ABOVE = {"at_least": 0.5}


def evidence_of(dataset: xr.Dataset, method: str = "saliency", stochastic: bool = False) -> Evidence:
    methods = (MethodFacts.model_construct(name=method, stochastic=stochastic),)
    conditions = (ConditionFacts.model_construct(id="noise", name="gaussian_noise", family="noise", against=""),)
    return Evidence(readings_of(dataset), methods, conditions, ())


def sample_of(
    evidence: Evidence, metric: str, setting: Setting = BASE, bound: Mapping[str, Any] = MappingProxyType(ABOVE)
) -> Sample:
    criterion = Criterion(metric=metric, condition="noise", why="a test", **bound)
    return evidence.sample(criterion, "noise", "saliency", setting)


def drawn(own: Sequence[Sequence[float]], other: float = 0.5) -> xr.Dataset:
    """Return a store with the similarities of two draws of every image to the clean map, and one to all others."""
    dataset = small_store(len(own[0]), DRAWS)
    for name, values in zip(DRAWS, own, strict=True):
        set_scores(dataset, name, values)
    for variable in ("target_similarity", "other_class_similarity"):
        dataset[variable].loc[{"perturbation": list(DRAWS)}] = other
    return dataset


@pytest.mark.parametrize("metric", ["own_image", "own_class"])
def test_of_several_draws_all_must_hit(metric: str) -> None:
    sample = sample_of(evidence_of(drawn([[0.9, 0.9, 0.1], [0.9, 0.1, 0.1]])), metric)
    assert sample.values.tolist() == [1, 0, 0]
    assert (sample.ties, sample.undefined_misses) == (0, 0)


@pytest.mark.parametrize(("bound", "expected"), [({"at_least": 0.5}, [1, 0, 0]), ({"at_most": 0.5}, [1, 1, 0])])
def test_of_the_draws_of_a_rate_the_worst_counts(bound: dict[str, float], expected: list[float]) -> None:
    """A mean of draws, 0.5, is no outcome of an image, so that no exact interval could be made of it."""
    dataset = drawn([[1, 1, 0], [1, 0, 0]]).assign_coords(metric=["pointing_game", "relative_change"])
    for name, values in zip(DRAWS, [[1, 1, 0], [1, 0, 0]], strict=True):
        set_scores(dataset, name, values, "pointing_game")
    assert sample_of(evidence_of(dataset), "pointing_game", bound=bound).values.tolist() == expected


@pytest.mark.parametrize("metric", ["own_image", "own_class"])
def test_ties_are_counted_among_the_images_of_the_setting(metric: str) -> None:
    dataset = drawn([[0.5, 0.5, 0.9, 0.1], [0.5, 0.5, 0.9, 0.1]])
    set_predictions(dataset, "clean", [0, 0, 0, 0])
    for name in DRAWS:
        set_predictions(dataset, name, [0, 1, 0, 0])
    evidence = evidence_of(dataset)
    assert sample_of(evidence, metric).ties == 2
    kept = sample_of(evidence, metric, Setting(images="prediction kept"))
    assert (kept.ties, kept.values.tolist()) == (1, [0, 1, 0])


@pytest.mark.parametrize(("bound", "value"), [({"at_least": 0.5}, 0.0), ({"at_most": 0.5}, 1.0)])
@pytest.mark.parametrize("metric", ["own_image", "kept_under_flip"])
def test_an_undefined_map_speaks_against_the_method_on_either_side(
    metric: str, bound: dict[str, float], value: float
) -> None:
    dataset = drawn([[0.9, 0.9], [0.9, 0.9]])
    set_fault(dataset, "noise#2", 1, Reason.NOT_FINITE)
    set_predictions(dataset, "clean", [0, 0])
    for name in DRAWS:
        set_predictions(dataset, name, [1, 1])
    sample = sample_of(evidence_of(dataset), metric, bound=bound)
    assert sample.values.tolist() == [1, value]
    assert sample.undefined_misses == 1


@pytest.mark.parametrize(
    ("lead", "n", "stochastic", "repeatable"),
    [
        (0.5, 20, True, True),
        (0.0, 20, True, False),
        (-0.5, 20, True, False),
        (0.0, 20, False, True),
        (0.0, 7, True, True),
    ],
)
def test_a_method_that_draws_is_repeatable_if_its_repeats_lead(
    lead: float, n: int, stochastic: bool, repeatable: bool
) -> None:
    """Fewer than eight images say nothing of it."""
    dataset = small_store(n)
    spread = np.resize([-0.1, 0.1], n)
    dataset.reference_similarity.loc[{"reference": "other_image"}] = 0.0
    dataset.reference_similarity.loc[{"reference": "repeat"}] = (lead + spread)[:, None, None]
    assert evidence_of(dataset, stochastic=stochastic).is_repeatable("saliency") is repeatable
