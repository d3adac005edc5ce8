"""Similarities to re-drawn networks: over images at each depth, over re-draws at the full one."""

import numpy as np
import pytest
import torch
import xarray as xr
from asked_again_stores import DEPTHS, ask_again, leave_out, set_quality, set_redrawn
from compared_methods import facts_of, store_of
from hand_made_readings import SIDE, readings_of
from scipy.stats import entropy, t

from pipeline.plan.schema import REASONS, Reason
from reports.audit.asked_again import entropies_of_values, redrawn_rises
from reports.audit.facts import Identity
from reports.audit.randomisation.fields import DepthSimilarity
from reports.audit.randomisation.gallery import drawings
from reports.audit.randomisation.section import NOT_ASKED, RANDOMISATION, randomisation_table, unmoved_sentence
from reports.audit.sections import AuditResult
from reports.style import figure_style
from srd.registry import METRICS

N = 12
METHODS = ("srd", "saliency", "edges")
REDRAWS = 5


def similarities(seed: int) -> np.ndarray:
    """Similarities (image, depth) that differ between images and re-draws."""
    return np.random.default_rng(seed).uniform(-0.3, 0.4, (N, len(DEPTHS)))


def store() -> xr.Dataset:
    dataset = ask_again(store_of(N, METHODS))
    set_redrawn(dataset, similarities(0), "srd")
    set_redrawn(dataset, 0.5 + similarities(1) / 10, "saliency")
    set_redrawn(dataset, np.ones((N, len(DEPTHS))), "edges")
    dataset.reference_similarity.loc[{"reference": "other_image"}] = np.linspace(0, 0.2, N)[:, None, None]
    set_quality(dataset, "complexity_rise", np.arange(N) / N)
    return dataset.assign(scale=(("image", "perturbation", "method"), np.ones((N, 2, len(METHODS)))))


def result_of(dataset: xr.Dataset) -> AuditResult:
    facts = facts_of(dataset).model_copy(update={"identity": Identity.model_construct(sizes={"image": N})})
    return facts.model_copy(update=dict(RANDOMISATION.numbers(readings_of(dataset), facts)))


def found_in(result: AuditResult) -> dict[tuple[str, str], DepthSimilarity]:
    return {(each.method, each.depth): each for each in result.depth_similarities}


def test_before_the_full_depth_the_mean_is_over_images() -> None:
    found = found_in(result_of(store()))
    for column, depth in enumerate(DEPTHS[:3]):
        each = found["srd", depth]
        assert each.estimate.value == pytest.approx(sum(similarities(0)[:, column]) / N)
        assert (each.estimate.n, each.redraws, each.images, each.above_other_image) == (N, 1, N, None)
        assert each.estimate.interval == "BCa bootstrap"


def test_at_full_depth_it_is_over_re_draws() -> None:
    each = found_in(result_of(store()))["srd", "4/4"]
    means = [sum(similarities(0)[row, 3 + draw] for row in range(N)) / N for draw in range(REDRAWS)]
    half = t.ppf(0.975, REDRAWS - 1) * np.std(means, ddof=1) / np.sqrt(REDRAWS)
    assert each.estimate.value == pytest.approx(np.mean(means))
    assert (each.estimate.n, each.estimate.interval) == (REDRAWS, "t")
    assert (each.estimate.low, each.estimate.high) == pytest.approx((np.mean(means) - half, np.mean(means) + half))
    assert (each.redraws, each.images) == (REDRAWS, N)
    assert each.above_other_image is not None
    assert each.above_other_image.value == pytest.approx(np.mean(means) - 0.1)


def test_floors_and_rises_are_over_the_same_images() -> None:
    dataset = store()
    leave_out(dataset, [0, 1, 2], Reason.NOT_ASKED)
    result = result_of(dataset)
    assert result.explained_again == N - 3
    assert {each.estimate.n for each in result.redrawn_floors} == {N - 3}
    assert result.redrawn_floors[0].estimate.value == pytest.approx(np.mean(np.linspace(0, 0.2, N)[3:]))
    assert result.complexity_rises[0].estimate.value == pytest.approx(np.mean(np.arange(3, N) / N))
    assert found_in(result)["srd", "4/4"].images == N - 3


def test_images_without_a_clean_map_are_left_out_with_their_reason() -> None:
    dataset = store()
    dataset.reference_similarity[:2].loc[{"method": "srd"}] = np.nan
    dataset.score[:2].loc[{"perturbation": "clean", "method": "srd"}] = np.nan
    dataset.reason[:2].loc[{"perturbation": "clean", "method": "srd"}] = Reason.NO_CONTRAST
    result = result_of(dataset)
    whole = found_in(result)["srd", "4/4"]
    assert (whole.images, whole.estimate.excluded) == (N - 2, {REASONS[Reason.NO_CONTRAST]: 2})
    assert list(RANDOMISATION.body(result, {})["items"]) == [f"Left out: SRD 2 images: {REASONS[Reason.NO_CONTRAST]}."]  # type: ignore[call-overload]


def rises_of(clean: np.ndarray, redrawn: np.ndarray) -> np.ndarray:
    """The rise of complexity (image, re-draw) by its definition."""
    before = [entropy(np.histogram(each, 100)[0]) for each in clean]
    after = [[entropy(np.histogram(each, 100)[0]) if np.ptp(each) else 0.0 for each in row] for row in redrawn]
    rises: np.ndarray = np.array(after) / np.array(before)[:, None] - 1
    return rises


def store_of_rises() -> tuple[xr.Dataset, np.ndarray]:
    """Re-drawn networks whose maps are ever less even, of every image alike: re-draws differ more than images do."""
    dataset, rng = store(), np.random.default_rng(3)
    clean = rng.normal(size=(N, SIDE, SIDE))
    powers = np.arange(1, REDRAWS + 1)[:, None, None]
    redrawn = np.abs(rng.normal(size=(N, REDRAWS, SIDE, SIDE))) ** powers
    redrawn[0, 1] = 0.5  # constant
    dataset.randomised_attribution[:, :, 3:] = redrawn[:, None]
    rises = rises_of(clean, redrawn)
    set_quality(dataset, "complexity_rise", rises.mean(1))
    return dataset, rises


def test_the_rise_of_complexity_is_over_re_draws_since_images_share_them() -> None:
    dataset, rises = store_of_rises()
    found = {each.method: each.estimate for each in result_of(dataset).complexity_rises}["srd"]
    means = rises.mean(0)
    half = t.ppf(0.975, REDRAWS - 1) * np.std(means, ddof=1) / np.sqrt(REDRAWS)
    assert (found.value, found.low, found.high) == pytest.approx(
        (means.mean(), means.mean() - half, means.mean() + half)
    )
    assert (found.n, found.interval) == (REDRAWS, "t")
    assert found.unit.endswith("n: re-draws")
    table = randomisation_table(result_of(dataset))
    assert table.rows[0][-1].detail.endswith(f"{REDRAWS} re-draws of {N} images")


def test_rises_of_single_re_draws_follow_from_the_stored_mean() -> None:
    dataset, rises = store_of_rises()
    dataset.quality_score[2].loc[{"quality": "complexity_rise"}] = np.nan
    found = redrawn_rises(readings_of(dataset), "srd")
    expected = rises.copy()
    expected[2] = np.nan
    np.testing.assert_allclose(np.stack([each.values for each in found], 1), expected, rtol=1e-9, atol=1e-12)


def test_maps_that_all_became_constant_lose_all_complexity() -> None:
    dataset = store()
    dataset.randomised_attribution[:] = 0.25
    set_quality(dataset, "complexity_rise", -1.0)
    assert all((each.values == -1).all() for each in redrawn_rises(readings_of(dataset), "srd"))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_entropy_of_values_is_that_of_the_metric(seed: int) -> None:
    first, second = np.random.default_rng(seed).gamma(0.3, size=(2, SIDE, SIDE)).astype(np.float32)
    before, after = entropies_of_values(np.stack([first, second]))
    expected = METRICS["complexity_rise"](torch.from_numpy(first[None]), torch.from_numpy(second[None]))
    assert after / before - 1 == pytest.approx(float(expected), rel=1e-6)


def test_few_re_draws_have_no_interval() -> None:
    few = store().isel(reference=slice(0, -2))
    each = found_in(result_of(few))["srd", "4/4"]
    assert (each.estimate.low, each.estimate.n) == (None, 3)
    assert each.estimate.reason == "no interval: fewer than 5 re-draws"


def test_maps_that_stay_are_named_and_controls_apart() -> None:
    sentence = unmoved_sentence(result_of(store()))
    assert "little of what was learnt: Saliency 0.50" in sentence
    assert sentence.endswith("and, among the controls, Edges (control) 1.000 (all values are equal, 5 re-draws).")
    assert "SRD" not in sentence


def test_table_figure_and_files_have_every_method() -> None:
    result = result_of(store())
    table = randomisation_table(result)
    assert table.header == ("method", "1/4", "2/4", "3/4", "4/4", "another image", "Rise of complexity")
    assert [row[0].text for row in table.rows] == ["SRD", "Saliency", "Edges (control)"]
    assert table.rows[0][4].detail.endswith(f"{REDRAWS} re-draws of {N} images")
    with figure_style():
        (picture,) = RANDOMISATION.figures(result)
    assert "Edges (control): 1/4 1.00, 2/4 1.00, 3/4 1.00, 4/4 1.00" in picture.alt
    frames = RANDOMISATION.frames(result)
    assert {name: len(frame) for name, frame in frames.items()} == {
        "randomisation": 12,
        "randomisation-above-other-image": 3,
        "randomisation-floor": 3,
        "complexity-rise": 3,
    }


def test_the_gallery_shows_the_middle_image_that_was_explained_again() -> None:
    dataset = store()
    leave_out(dataset, range(4), Reason.NOT_ASKED)
    result, readings = result_of(dataset), readings_of(dataset)
    assert [each.method for each in result.redrawn_rows] == list(METHODS)
    assert {each.image for each in result.redrawn_rows} == {"image 8"}
    assert list(result.redrawn_rows[0].maps) == ["0", "1/4", "2/4", "3/4", "4/4#1"]
    ((name, _),) = drawings(readings, result.redrawn_rows, result.redrawn_sheet)
    assert name == "maps/redrawn.png"
    places = [panel.place for each in result.redrawn_rows for panel in each.maps.values()]
    assert places == list(range(len(METHODS) * 5))
    limit = result.redrawn_rows[1].maps["2/4"].limit
    shown = np.abs(dataset.randomised_attribution[8].sel({"method": "saliency", "depth": "2/4"}).values)
    assert limit == pytest.approx(np.quantile(shown, 0.99))
    assert shown.shape == (SIDE, SIDE)


def test_a_run_that_did_not_ask_says_so() -> None:
    result = result_of(store_of(N, METHODS))
    assert (result.explained_again, result.depth_similarities, result.redrawn_rows) == (0, (), ())
    assert RANDOMISATION.body(result, {})["paragraphs"] == (NOT_ASKED,)
    assert list(RANDOMISATION.figures(result)) == []
