"""Sensitivity over draws, against captum, closed forms and slow loops."""

from itertools import pairwise
from math import inf, sqrt

import numpy as np
import pytest
import torch
import xarray as xr
from captum.metrics import sensitivity_max
from hand_made_readings import INPUTS, readings_of, set_fault, set_predictions, set_scores, small_store

from pipeline.plan.schema import REASONS, Reason
from reports.audit.draws import (
    FLIPPED,
    MEASURES,
    NO_ENCODER,
    NO_INPUT_CHANGE,
    UNITS,
    Ratio,
    avg_sensitivity,
    largest_lipschitz,
    lipschitz_random,
    max_sensitivity,
    relative_stability,
    sensitivities,
)

NAN = np.nan
DRAWS = ("noise#1", "noise#2", "noise#3")
N = 4
RATIOS: tuple[Ratio, ...] = ("ris", "ros", "rrs")


def drawn_store(seed: int = 0, conditions: tuple[str, ...] = DRAWS) -> xr.Dataset:
    """Positive numbers everywhere, and predictions that stay."""
    dataset, rng = small_store(N, conditions), np.random.default_rng(seed)
    for condition in conditions:
        set_scores(dataset, condition, rng.uniform(0.1, 2, N).tolist(), "relative_change")
        set_predictions(dataset, condition, [0] * N)
        dataset.change.loc[{"perturbation": condition}] = rng.uniform(0.5, 3, (N, 4))
    set_predictions(dataset, "clean", [0] * N)
    return dataset


def changes(dataset: xr.Dataset, row: int) -> list[float]:
    return [float(dataset.score[row].sel(perturbation=draw, metric="relative_change")[0]) for draw in DRAWS]


def moved(dataset: xr.Dataset, row: int, measure: str) -> list[float]:
    return [float(dataset.change[row].sel(perturbation=draw, measure=measure)) for draw in DRAWS]


def quadratic(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A network x'Ax / 2, whose gradient is Ax; images, and a noise for each of their draws (image, draw, input)."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(INPUTS, INPUTS, generator=generator, dtype=torch.float64)
    images = torch.randn(N, INPUTS, generator=generator, dtype=torch.float64)
    return root + root.T, images, torch.randn(N, len(DRAWS), INPUTS, generator=generator, dtype=torch.float64) / 4


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_max_sensitivity_is_that_of_captum_on_the_same_maps(seed: int) -> None:
    matrix, images, noise = quadratic(seed)
    maps = (images[:, None] + noise) @ matrix
    clean = images @ matrix
    relative = ((maps - clean[:, None]).norm(dim=2) / clean.norm(dim=1)[:, None]).numpy()
    dataset = small_store(N, DRAWS)
    for column, draw in enumerate(DRAWS):
        set_scores(dataset, draw, relative[:, column].tolist(), "relative_change")

    def gradient(inputs: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return ((inputs if isinstance(inputs, torch.Tensor) else inputs[0]) @ matrix,)

    expected = sensitivity_max(
        gradient,
        images,
        perturb_func=lambda inputs: inputs + noise.flatten(0, 1),
        n_perturb_samples=len(DRAWS),
    )
    found = max_sensitivity(readings_of(dataset), DRAWS, "saliency")
    assert found.values == pytest.approx(expected.numpy(), rel=1e-9)
    assert found.conditions == tuple(DRAWS[column] for column in relative.argmax(1))


@pytest.mark.parametrize("factor", [0.5, 1.0, 30.0])
def test_lipschitz_of_a_linear_explanation_has_a_closed_form(factor: float) -> None:
    """Maps c x change by norm(d) / norm(x), so that the value is sqrt(C N) / norm(x), whatever c and d."""
    _, images, noise = quadratic(3)
    dataset = small_store(N, DRAWS)
    for column, draw in enumerate(DRAWS):
        change = noise[:, column].norm(dim=1)
        relative = (factor * change) / (factor * images.norm(dim=1))
        set_scores(dataset, draw, relative.tolist(), "relative_change")
        dataset.change.loc[{"perturbation": draw, "measure": "input_l2"}] = change.numpy()
    found = lipschitz_random(readings_of(dataset), DRAWS, "saliency")
    assert found.values == pytest.approx(sqrt(INPUTS) / images.norm(dim=1).numpy(), rel=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_reductions_are_loops_over_draws(seed: int) -> None:
    dataset = drawn_store(seed)
    readings = readings_of(dataset)
    for row in range(N):
        relative, size = changes(dataset, row), moved(dataset, row, "input_l2")
        assert max_sensitivity(readings, DRAWS, "saliency").values[row] == pytest.approx(max(relative))
        assert avg_sensitivity(readings, DRAWS, "saliency").values[row] == pytest.approx(sum(relative) / 3)
        steep = max(change / (by / sqrt(INPUTS)) for change, by in zip(relative, size, strict=True))
        assert lipschitz_random(readings, DRAWS, "saliency").values[row] == pytest.approx(steep)
        for ratio in RATIOS:
            by = moved(dataset, row, MEASURES[ratio])
            slow = max(change / max(distance, 1e-6) for change, distance in zip(relative, by, strict=True))
            assert relative_stability(readings, DRAWS, "saliency", ratio).values[row] == pytest.approx(slow)


def test_more_draws_never_lower_the_largest() -> None:
    readings = readings_of(drawn_store())
    steps = [max_sensitivity(readings, DRAWS[:k], "saliency").values for k in (1, 2, 3)]
    assert all((after >= before).all() for before, after in pairwise(steps))


def test_an_input_that_did_not_change_has_no_lipschitz_constant() -> None:
    dataset = drawn_store()
    for draw in DRAWS:
        dataset.change[1].loc[{"perturbation": draw, "measure": "input_l2"}] = 0.0
    dataset.change[2].loc[{"perturbation": "noise#1", "measure": "input_l2"}] = 0.0
    for found in (
        lipschitz_random(readings_of(dataset), DRAWS, "saliency"),
        relative_stability(readings_of(dataset), DRAWS, "saliency", "ris"),
    ):
        assert np.isnan(found.values).tolist() == [False, True, False, False]
        assert (found.excluded, found.draws_left_out) == ({NO_INPUT_CHANGE: 1}, {NO_INPUT_CHANGE: 4})
        assert found.conditions[1] == ""
        assert found.conditions[2] != "noise#1"


@pytest.mark.parametrize("ratio", RATIOS)
def test_relative_stability_leaves_flipped_draws_out_and_counts_them(ratio: Ratio) -> None:
    dataset = drawn_store()
    set_predictions(dataset, "noise#2", [0, 1, 1, 0])
    set_predictions(dataset, "noise#1", [0, 1, 0, 0])
    set_predictions(dataset, "noise#3", [0, 1, 0, 0])
    found = relative_stability(readings_of(dataset), DRAWS, "saliency", ratio)
    assert np.isnan(found.values).tolist() == [False, True, False, False]
    assert (found.excluded, found.draws_left_out) == ({FLIPPED: 1}, {FLIPPED: 4})
    by, relative = moved(dataset, 2, MEASURES[ratio]), changes(dataset, 2)
    assert found.values[2] == pytest.approx(max(relative[k] / by[k] for k in (0, 2)))
    assert max_sensitivity(readings_of(dataset), DRAWS, "saliency").excluded == {}


@pytest.mark.parametrize(("by", "counts_as"), [(0.0, 1e-6), (1e-9, 1e-6), (1e-3, 1e-3)])
def test_small_changes_of_the_answer_count_as_the_least(by: float, counts_as: float) -> None:
    dataset = drawn_store()
    for draw in DRAWS:
        dataset.change.loc[{"perturbation": draw, "measure": "logit_l2"}] = by
    found = relative_stability(readings_of(dataset), DRAWS, "saliency", "ros")
    assert found.values == pytest.approx([max(changes(dataset, row)) / counts_as for row in range(N)])


def test_without_an_encoder_there_is_no_rrs() -> None:
    dataset = drawn_store()
    dataset.change.loc[{"measure": "feature_relative"}] = NAN
    found = relative_stability(readings_of(dataset), DRAWS, "saliency", "rrs")
    assert found.excluded == {NO_ENCODER: N}
    assert relative_stability(readings_of(dataset), DRAWS, "saliency", "ris").excluded == {}


@pytest.mark.parametrize("reason", [Reason.NO_CONTRAST, Reason.NOT_FINITE])
def test_undefined_maps_are_left_out_with_their_reason(reason: Reason) -> None:
    dataset = drawn_store()
    set_fault(dataset, "noise#1", 0, reason)
    for draw in DRAWS:
        set_fault(dataset, draw, 3, reason)
    for found in (f(readings_of(dataset), DRAWS, "saliency") for f in (max_sensitivity, avg_sensitivity)):
        assert np.isnan(found.values).tolist() == [False, False, False, True]
        assert (found.excluded, found.draws_left_out) == ({REASONS[reason]: 1}, {REASONS[reason]: 4})
    assert max_sensitivity(readings_of(dataset), DRAWS, "saliency").values[0] == max(changes(dataset, 0)[1:])


def test_lipschitz_found_names_the_condition_and_skips_geometric_changes() -> None:
    dataset = drawn_store(conditions=("noise#1", "noise#2", "attack", "shift"))
    families = ["clean", "noise", "noise", "attack on the explanation", "geometric change"]
    dataset = dataset.assign_coords(perturbation_family=("perturbation", families))
    set_scores(dataset, "attack", [50.0, 0.0, 50.0, 50.0], "relative_change")
    set_scores(dataset, "shift", [inf] * N, "relative_change")
    readings = readings_of(dataset)
    found = largest_lipschitz(readings, "saliency")
    assert found is not None
    assert [name == "attack" for name in found.conditions] == [True, False, True, True]
    assert (found.values >= lipschitz_random(readings, ("noise#1", "noise#2"), "saliency").values).all()
    assert found.mean("unit").n == N


def test_without_a_condition_nothing_is_found() -> None:
    assert largest_lipschitz(readings_of(small_store(N, ())), "saliency") is None


def test_every_sensitivity_has_a_unit() -> None:
    found = sensitivities(readings_of(drawn_store()), DRAWS, "saliency")
    assert {*found, "lipschitz_found"} == set(UNITS)
    assert all(len(each.counted) == N for each in found.values())
