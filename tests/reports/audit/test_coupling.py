"""Coupling of answer and map, against scipy."""

import numpy as np
import pytest
import xarray as xr
from hand_made_readings import CLASSES, readings_of, small_store
from scipy.special import softmax
from scipy.stats import spearmanr

from reports.audit.coupling import LEFT_OUT, NO_ORDER, coupling, couplings

N = 20


def answered_store(seed: int, methods: tuple[str, ...] = ("saliency", "edges")) -> xr.Dataset:
    dataset, rng = small_store(N, methods=methods), np.random.default_rng(seed)
    dataset["prediction"][:] = rng.normal(size=(N, 2, CLASSES))
    dataset["target"][:] = rng.integers(0, CLASSES, N)
    dataset["score"][:] = np.round(rng.uniform(0, 1, dataset.score.shape), 1)  # with ties
    return dataset


def answer_changes(dataset: xr.Dataset) -> list[float]:
    clean, perturbed = (softmax(dataset.prediction[:, column].values, axis=1) for column in (0, 1))
    return [abs(perturbed[row, t] - clean[row, t]) for row, t in enumerate(dataset.target.values)]


def map_changes(dataset: xr.Dataset, method: str) -> list[float]:
    scores = dataset.score.sel({"perturbation": "noise", "method": method, "metric": "pearson"}).values
    return [float(1 - score) for score in scores]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_coupling_is_spearmans_and_its_lead_over_that_of_edges(seed: int) -> None:
    dataset = answered_store(seed)
    found = coupling(readings_of(dataset), "noise", "saliency")
    own, edges = (
        spearmanr(answer_changes(dataset), map_changes(dataset, name)).statistic for name in ("saliency", "edges")
    )
    assert found.correlation.value == pytest.approx(own)
    assert found.correlation.n == N
    assert found.beyond_edges is not None
    assert found.beyond_edges.value == pytest.approx(own - edges)
    for estimate in (found.correlation, found.beyond_edges):
        assert estimate.low is not None
        assert estimate.value is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize(("sign", "value"), [(1, 1.0), (-1, -1.0)])
def test_a_map_that_moves_as_the_answer_does_is_coupled(sign: int, value: float) -> None:
    dataset = answered_store(0, ("saliency",))
    dataset.score.loc[{"perturbation": "noise", "metric": "pearson"}] = (
        -sign * np.array(answer_changes(dataset))[:, None]
    )
    found = coupling(readings_of(dataset), "noise", "saliency")
    assert found.correlation.value == pytest.approx(value)
    assert found.beyond_edges is None


def test_images_without_all_values_are_left_out_and_counted() -> None:
    dataset = answered_store(1)
    dataset.score[2].loc[{"method": "saliency"}] = np.nan
    dataset.score[3].loc[{"method": "edges"}] = np.nan
    dataset["prediction"][5, 1] = np.nan
    found = coupling(readings_of(dataset), "noise", "saliency")
    assert (found.correlation.n, found.correlation.excluded) == (N - 2, {LEFT_OUT: 2})
    assert found.beyond_edges is not None
    assert (found.beyond_edges.n, found.beyond_edges.excluded) == (N - 3, {LEFT_OUT: 3})
    known = [row for row in range(N) if row not in {2, 5}]
    changes = np.array([answer_changes(dataset), map_changes(dataset, "saliency")])[:, known]
    assert found.correlation.value == pytest.approx(spearmanr(*changes).statistic)


def test_maps_that_all_moved_equally_have_no_coupling() -> None:
    dataset = answered_store(1, ("saliency",))
    dataset["score"][:] = 1.0
    found = coupling(readings_of(dataset), "noise", "saliency").correlation
    assert (found.value, found.reason) == (None, NO_ORDER)


def test_each_method_has_its_coupling_in_each_condition() -> None:
    found = couplings(readings_of(answered_store(0)), ("noise",))
    assert [(each.condition, each.method) for each in found] == [("noise", "saliency"), ("noise", "edges")]
