"""Undefined is a state: every reason that the score stage writes, in a real run, from its cause to its count."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_explainers import EMPTY, FLAT, METHODS, NOISE_ID, N, registered, write_made_audit
from numpy.typing import NDArray
from small_audits import finish, store_in

from pipeline.plan.schema import REASONS, Reason
from pipeline.store.results import open_results
from reports.audit.identity_tables import completeness
from reports.audit.outcomes import own_class, own_image
from reports.audit.readings import Readings
from reports.audit.run_record import record_of
from srd.registry import MAP_METRICS

Reading = Callable[[str], NDArray[np.bool_]]
CONDITIONS = ("clean", NOISE_ID)


@pytest.fixture(scope="module")
def store(explained: Path) -> Iterator[xr.Dataset]:
    with registered():
        yield open_results(store_in(explained)).load()


@pytest.fixture(scope="module")
def readings(store: xr.Dataset) -> Readings:
    return Readings(store)


def has_reason(store: xr.Dataset, method: str, reason: Reason) -> NDArray[np.bool_]:
    """Return which scores of a method (image, condition, metric) have a reason."""
    return np.asarray(
        store.reason.sel({"method": method}).transpose("image", "perturbation", "metric").values == reason
    )


def metrics_of(*kinds: str) -> NDArray[np.bool_]:
    return np.array([entry.of in kinds for entry in MAP_METRICS.values()])


def is_flat(store: xr.Dataset) -> NDArray[np.bool_]:
    """Return which images have a white corner."""
    corner = store.input.sel(perturbation="clean").isel(y=0, x=0).transpose("image", "channel").values
    return np.asarray((corner == 1).all(1))


def is_empty(store: xr.Dataset) -> NDArray[np.bool_]:
    return np.asarray(~store.mask.transpose("image", "y", "x").values.any((1, 2)))


def test_a_score_is_nan_where_it_has_a_reason_and_nowhere_else(store: xr.Dataset) -> None:
    assert (np.isnan(store.score.values) == (store.reason.values != Reason.DEFINED)).all()


def test_an_empty_mask_is_told_of_metrics_that_need_one(store: xr.Dataset) -> None:
    expected = is_empty(store)[:, None, None] & metrics_of("map and mask") & np.ones((1, 2, 1), bool)
    assert is_empty(store).sum() == EMPTY
    for method in ("made_closed_form", "made_drawn", "edges"):
        assert (has_reason(store, method, Reason.EMPTY_MASK) == expected).all(), method


def test_a_map_that_is_not_finite_has_no_score(store: xr.Dataset) -> None:
    """Of an empty mask the mask is told, whatever the map."""
    found = has_reason(store, "made_not_finite", Reason.NOT_FINITE)
    assert (found | has_reason(store, "made_not_finite", Reason.EMPTY_MASK)).all()
    assert np.isnan(store.score.sel({"method": "made_not_finite"}).values).all()
    for method in set(METHODS) - {"made_not_finite"}:
        assert not has_reason(store, method, Reason.NOT_FINITE).any(), method


def test_a_constant_map_has_nothing_to_compare(store: xr.Dataset) -> None:
    found = has_reason(store, "made_constant", Reason.NO_CONTRAST)
    compared = ("pearson", "coarse_pearson", "top_k_intersection", "spearman", "top_k_near")
    assert found[:, :, [list(MAP_METRICS).index(name) for name in compared]].all()
    lost = has_reason(store, "made_blotted", Reason.NO_CONTRAST)[:, :, list(MAP_METRICS).index("pearson")]
    assert (lost == is_flat(store)[:, None]).all()
    assert is_flat(store).sum() == FLAT


def test_maps_without_sign_have_no_agreement_of_signs(store: xr.Dataset) -> None:
    needy = np.array([entry.needs_sign for entry in MAP_METRICS.values()])
    for method, unsigned in (("edges", True), ("made_fixed", True), ("made_closed_form", False)):
        assert (has_reason(store, method, Reason.UNSIGNED_METHOD) == (needy & unsigned)).all(), method


def test_the_similarity_to_the_target_image_is_undefined_where_either_map_is(store: xr.Dataset) -> None:
    def undefined(method: str, condition: str) -> NDArray[np.bool_]:
        chosen = store.target_similarity.sel({"method": method, "perturbation": condition, "similarity": "pearson"})
        return np.asarray(np.isnan(chosen.values))

    flat = is_flat(store)
    assert (undefined("made_blotted", "clean") == (flat | flat[store.target_image.values])).all()
    for condition in CONDITIONS:
        assert undefined("made_constant", condition).all()
        assert undefined("made_not_finite", condition).all()
        assert not undefined("made_closed_form", condition).any()


def test_an_undefined_map_of_the_target_image_is_not_the_methods_fault(store: xr.Dataset, readings: Readings) -> None:
    flat = is_flat(store)
    blamed, blameless = flat, ~flat & flat[store.target_image.values]
    found = own_image(readings, NOISE_ID, "made_blotted")
    assert (np.isnan(found.values) == blameless).all()
    assert sum(found.misses.values()) == blamed.sum() == FLAT
    assert sum(found.excluded.values()) == blameless.sum() > 0
    assert (found.values[~blamed & ~blameless] == 1).all()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_an_undefined_map_of_another_class_is_different(readings: Readings, condition: str) -> None:
    found = own_class(readings, condition, "made_predicted_only")
    assert (found.values == 1).all()
    assert found.granted == {"the map of the other class has nothing to compare": N}
    assert (found.misses, found.excluded) == ({}, {})


@pytest.mark.parametrize("outcome", [own_image, own_class])
@pytest.mark.parametrize(
    ("method", "reason"), [("made_constant", Reason.NO_CONTRAST), ("made_not_finite", Reason.NOT_FINITE)]
)
def test_the_methods_own_undefined_map_is_a_miss(
    readings: Readings, outcome: Callable[..., object], method: str, reason: Reason
) -> None:
    for condition in CONDITIONS:
        found = (own_image if outcome is own_image else own_class)(readings, condition, method)
        assert (found.misses, found.excluded) == ({REASONS[reason]: N}, {})


def test_the_report_counts_every_undefined_score(explained: Path, store: xr.Dataset, readings: Readings) -> None:
    found = completeness(readings, record_of(explained, store_in(explained))).undefined
    counted = {(each.method, each.reason): each.scores for each in found}
    expected = {
        (method, REASONS[reason]): int(has_reason(store, method, reason).sum())
        for method in METHODS
        for reason in Reason
        if reason != Reason.DEFINED and has_reason(store, method, reason).any()
    }
    assert counted == expected
    assert {reason for _, reason in counted} == {
        REASONS[each] for each in (Reason.EMPTY_MASK, Reason.NO_CONTRAST, Reason.NOT_FINITE, Reason.UNSIGNED_METHOD)
    }


def test_without_masks_every_metric_that_needs_one_says_so(tmp_path: Path) -> None:
    spec = write_made_audit(tmp_path / "audit", ("made_closed_form", "made_constant"), has_masks=False, per_class=2)
    with registered():
        finish(spec, tmp_path / "run")
        store = open_results(store_in(tmp_path / "run")).load()
        counted = completeness(Readings(store), record_of(tmp_path / "run", store_in(tmp_path / "run"))).undefined
    needy = metrics_of("map and mask")
    for method in ("made_closed_form", "made_constant"):
        assert (has_reason(store, method, Reason.NO_MASKS) == needy).all()
    scores = 6 * len(CONDITIONS) * int(needy.sum())
    assert [each.scores for each in counted if each.reason == REASONS[Reason.NO_MASKS]] == [scores] * 2
