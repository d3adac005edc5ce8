"""Similarities to re-drawn networks: over images at each depth, over re-draws at the full one."""

import numpy as np
import pytest
import xarray as xr
from asked_again_stores import DEPTHS, ask_again, leave_out, set_quality, set_redrawn
from compared_methods import facts_of, store_of
from hand_made_readings import SIDE, readings_of
from scipy.stats import t

from pipeline.plan.schema import REASONS, Reason
from reports.audit.facts import Identity
from reports.audit.randomisation.fields import DepthSimilarity
from reports.audit.randomisation.gallery import drawings
from reports.audit.randomisation.section import NOT_ASKED, RANDOMISATION, randomisation_table, unmoved_sentence
from reports.audit.sections import AuditResult
from reports.style import figure_style

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
    floors, rises = result.redrawn_floors, result.complexity_rises
    assert {each.estimate.n for each in floors} | {each.estimate.n for each in rises} == {N - 3}
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
