"""Laws of the stages: packing is exact but for float16, results are each image's own, reasons are true."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_audits import TASKS, create_like, needs_mask, same, store_in
from torch import Tensor

from attacks.types import Model
from pipeline.inputs.data import Data
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.plan.schema import PREPARED, REASONS, REFERENCES
from pipeline.plan.tasks import Task
from pipeline.stages import comparisons, map_scores
from pipeline.stages import score as scoring
from pipeline.stages.attribute import attribute
from pipeline.stages.compute import compute
from pipeline.stages.context import BACKGROUND, Context
from pipeline.stages.perturb import perturb
from pipeline.stages.score import score
from pipeline.stages.stored_maps import other_class_maps, read_maps
from pipeline.store.store import Arrays, Store
from srd.registry import ATTRIBUTORS, MAP_METRICS, METRICS, SIMILARITIES


def alone_in_tiles(context: Context, folder: Path) -> Context:
    """The same stored inputs and maps, in a store with a tile for each image."""
    plan, store = replace(context.plan, tile=1), store_in(folder)
    prepared = {name: context.store.read(name) for name in PREPARED}
    create_like(store, context.store, plan, prepared)
    alone = replace(context, plan=plan, store=Store(store))
    for task in (task for task in plan.all_tasks() if task.stage != "score"):
        regions = {variable.name: plan.region(task, variable) for variable in plan.variables(task)}
        alone.store.write(task, {name: context.store.read(name, *region) for name, region in regions.items()})
    return alone


def one_by_one(context: Context, stage: str, folder: Path) -> Iterator[tuple[Context, Task, Arrays, slice]]:
    """Each image as a tile of its own, beside what the whole tile gave and where the image stands in it."""
    alone = alone_in_tiles(context, folder)
    for task in context.plan.tasks(stage):
        whole = compute(context, task)
        for row in context.plan.asked_rows(task):
            place = row - context.rows(task).start
            yield alone, Task(stage, row, task.column), whole, slice(place, place + 1)


@pytest.mark.parametrize("stage", ["attribute", "occlude", "remove", "randomise", "score"])
def test_an_image_alone_gets_the_bytes_that_it_gets_among_others(context: Context, stage: str, tmp_path: Path) -> None:
    """Given the stored inputs, and the stored maps of its target image, which need not be in the subset itself."""
    for alone, task, whole, place in one_by_one(context, stage, tmp_path):
        assert same(compute(alone, task), {name: values[place] for name, values in whole.items()})


def test_noise_of_an_image_does_not_depend_on_its_tile(context: Context) -> None:
    alone = replace(context, plan=replace(context.plan, tile=1))
    noise = [condition.name for condition in context.conditions].index("gaussian_noise")
    for row in range(len(context.data.ids)):
        images = perturb(alone, Task("perturb", row, noise))["input"]
        assert images.tobytes() == context.store.read("input", slice(row, row + 1), slice(noise, noise + 1)).tobytes()


class Backwards:
    """The same images, the last first."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self.ids, self.labels, self.classes = data.ids[::-1], data.labels[::-1], data.classes
        self.has_masks, self.digest, self.description = data.has_masks, data.digest, data.description
        self.notes = data.notes

    def check(self, tell: Tell = tell_nobody) -> None:
        self._data.check(tell)

    def images(self, rows: Sequence[int]) -> Tensor:
        return self._data.images([len(self.ids) - 1 - row for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return self._data.masks([len(self.ids) - 1 - row for row in rows])

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        return self._data.ignored_pixels([len(self.ids) - 1 - row for row in rows])


def test_noise_follows_the_image_wherever_it_stands(context: Context) -> None:
    n = len(context.data.ids)
    backwards = replace(context, data=Backwards(context.data), plan=replace(context.plan, tile=n))
    noise = [condition.name for condition in context.conditions].index("gaussian_noise")
    images = perturb(backwards, Task("perturb", 0, noise))["input"]
    assert images[::-1].tobytes() == context.store.read("input", slice(None), slice(noise, noise + 1)).tobytes()


@pytest.mark.parametrize("method", ["smooth_grad", "expected_gradients", "rise"])
def test_what_a_method_draws_depends_on_the_image_and_its_perturbation_alone(
    context: Context, method: str, tmp_path: Path
) -> None:
    options = {"rise": {"masks": 8}}.get(method, {"samples": 3})
    explain = context.spec.explain.model_copy(update={"methods": (method,), "options": {method: options}})
    context = replace(context, spec=context.spec.model_copy(update={"explain": explain}))
    tiles = alone_in_tiles(context, tmp_path)
    whole = attribute(context, Task("attribute", 0, 0))
    for row in context.plan.rows(Task("attribute", 0, 0)):
        alone = attribute(tiles, Task("attribute", row, 0))
        assert same(alone, {name: values[row : row + 1] for name, values in whole.items()})
    drawn = {one.tobytes() for one in whole["attribution"].reshape(-1, *whole["attribution"].shape[3:])}
    assert len(drawn) == whole["attribution"][..., 0, 0].size


def test_no_two_random_maps_are_the_same(context: Context) -> None:
    column = context.spec.explain.methods.index("random")
    maps = context.store.read("attribution", slice(None), slice(None), column)
    others = context.store.read("other_class_attribution", slice(None), column)
    drawn = [one.tobytes() for one in (*maps.reshape(-1, *maps.shape[2:]), *others)]
    assert len(set(drawn)) == len(drawn) == maps.shape[0] * (maps.shape[1] + 1)


@pytest.mark.parametrize("stage", TASKS)
def test_doing_a_task_again_gives_the_same_bytes(context: Context, stage: str) -> None:
    for task in context.plan.tasks(stage):
        made = compute(context, task)
        assert same(made, compute(context, task))
        for variable in context.plan.variables(task):
            stored = context.store.read(variable.name, *context.plan.region(task, variable))
            assert made[variable.name].dtype == variable.dtype
            assert stored.tobytes() == np.ascontiguousarray(made[variable.name]).tobytes()


@pytest.mark.parametrize("stage", TASKS)
def test_a_task_leaves_the_network_and_the_global_generator_as_found(context: Context, stage: str) -> None:
    before = {name: value.clone() for name, value in context.model.state_dict().items()}
    random = torch.get_rng_state()
    for task in context.plan.tasks(stage):
        compute(context, task)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in context.model.state_dict().items())
    assert not any(module.training for module in context.model.modules())
    assert not any(module._forward_hooks or module._backward_hooks for module in context.model.modules())


def test_the_clean_condition_is_the_image_itself(context: Context) -> None:
    rows = range(len(context.data.ids))
    assert context.store.read("input", slice(None), 0).tobytes() == context.data.images(rows).numpy().tobytes()
    assert (context.store.read("mask") == context.data.masks(rows).numpy()).all()
    assert (context.store.read("ignored") == context.data.ignored_pixels(rows).numpy()).all()


def test_every_input_is_an_image_within_its_strength(context: Context) -> None:
    inputs = context.store.read("input")
    assert inputs.min() >= 0
    assert inputs.max() <= 1
    for column, condition in enumerate(context.conditions):
        if condition.norm == "L-inf":
            moved = np.abs(inputs[:, column] - inputs[:, 0]).max()
            assert 0 < moved <= condition.strength + 1e-6


def test_predictions_are_the_networks_answers_to_the_stored_inputs(context: Context) -> None:
    for column in range(len(context.conditions)):
        with torch.no_grad():
            logits = context.model(torch.from_numpy(context.store.read("input", slice(None), column)))
        torch.testing.assert_close(logits, torch.from_numpy(context.store.read("prediction", slice(None), column)))


class Recorder:
    """An attributor that answers with the class it was asked to explain."""

    def __init__(self) -> None:
        self.targets: list[list[int]] = []

    def __call__(self, network: object, inputs: torch.Tensor, target: torch.Tensor, generators: object) -> torch.Tensor:
        self.targets.append(target.tolist())
        return target[:, None, None] + torch.ones(inputs.shape[0], *inputs.shape[2:])


def test_the_class_of_the_clean_image_is_explained_under_every_perturbation(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(Context, "attributor", lambda *_: recorder)
    for task in context.plan.tasks("attribute"):
        attribute(context, task)
    predicted = context.store.read("prediction").argmax(-1)
    assert (context.targets == predicted[:, 0]).all()
    p, others = len(context.conditions), context.store.read("other_class")
    assert (others != context.targets).all()
    expected = []
    for task in context.plan.tasks("attribute"):
        for row in context.rows(task):
            target, other = int(context.targets[row]), int(others[row])
            expected += [[target] * p, [other], *[[target]] * (task.column in context.plan.stochastic)]
    assert recorder.targets == expected


def test_similarity_to_itself_is_one_where_it_is_defined(context: Context) -> None:
    scores = score(context, Task("score", 0, 0))["score"]
    for column, entry in enumerate(MAP_METRICS.values()):
        if entry.of == "two maps":
            np.testing.assert_allclose(scores[:, 0, 0, column], float(entry.better == "higher"), atol=1e-5)


def test_a_metric_that_needs_a_sign_says_nothing_of_a_method_without(context: Context) -> None:
    needs_sign = np.array([entry.needs_sign for entry in MAP_METRICS.values()])
    signs = [ATTRIBUTORS[method].signed for method in context.spec.explain.methods]
    assert set(signs) == {False, True}
    for column, signed in enumerate(signs):
        arrays = score(context, Task("score", 0, column))
        unsigned = arrays["reason"] == REASONS.index("the method's maps have no sign")
        assert (unsigned == (needs_sign & (not signed))).all()
        assert np.isnan(arrays["score"][unsigned]).all()
        similarity = SIMILARITIES.index("sign_agreement")
        assert np.isnan(arrays["reference_similarity"][..., similarity]).all() == (not signed)


def clean_maps(context: Context, name: str, scale: str, column: int) -> Tensor:
    values = context.store.read(name, slice(None), column).astype(np.float32)
    return torch.from_numpy(values * context.store.read(scale, slice(None), column)[:, None, None])


def all_maps(context: Context, column: int) -> Tensor:
    values = context.store.read("attribution", slice(None), slice(None), column).astype(np.float32)
    return torch.from_numpy(values * context.store.read("scale", slice(None), slice(None), column)[..., None, None])


@pytest.mark.parametrize("column", [0, 1, 2])
def test_every_map_is_compared_with_those_of_the_target_image_and_of_the_other_class(
    context: Context, column: int
) -> None:
    maps = all_maps(context, column)
    is_signed = ATTRIBUTORS[context.spec.explain.methods[column]].signed
    unsigned = [METRICS[name].needs_sign and not is_signed for name in SIMILARITIES]
    others = {
        "target_similarity": maps[:, 0][context.target_images],
        "other_class_similarity": clean_maps(context, "other_class_attribution", "other_class_scale", column),
    }
    for name, compared in others.items():
        for condition in range(maps.shape[1]):
            stored = context.store.read(name, slice(None), condition, column)
            expected = torch.stack([METRICS[each](maps[:, condition], compared) for each in SIMILARITIES], 1)
            expected[:, unsigned] = torch.nan
            np.testing.assert_allclose(stored, expected.numpy(), atol=1e-5, equal_nan=True)
    clean = {name: context.store.read(name, slice(None), 0, column) for name in others}
    references = context.store.read("reference_similarity", slice(None), column)
    for name, reference in (("target_similarity", "other_image"), ("other_class_similarity", "other_class")):
        np.testing.assert_allclose(clean[name], references[:, list(REFERENCES).index(reference)], atol=1e-6)


def test_only_a_method_that_draws_has_a_repeat_and_it_is_another_draw(context: Context) -> None:
    drawing = [ATTRIBUTORS[name].stochastic for name in context.spec.explain.methods]
    assert drawing == [False, False, True]
    repeats = context.store.read("reference_similarity")[:, :, list(REFERENCES).index("repeat")]
    assert (np.isfinite(repeats).all((0, 2)) == drawing).all()
    maps, again = all_maps(context, 2)[:, 0], clean_maps(context, "repeat_attribution", "repeat_scale", 2)
    assert not any(torch.equal(one, other) for one, other in zip(maps, again, strict=True))
    expected = torch.stack([METRICS[name](maps, again) for name in SIMILARITIES], 1)
    np.testing.assert_allclose(repeats[:, 2], expected.numpy(), atol=1e-5)


def test_an_unsigned_method_has_no_score_that_needs_a_sign(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = replace(METRICS["pearson"], needs_sign=True)
    monkeypatch.setattr(comparisons, "METRICS", {**METRICS, "pearson": signed})
    reason = REASONS.index("the method's maps have no sign")
    for column, name in enumerate(context.spec.explain.methods):
        arrays = score(context, Task("score", 0, column))
        needs_sign = [each == "pearson" or METRICS[each].needs_sign for each in MAP_METRICS]
        undefined = np.array(needs_sign) & (not ATTRIBUTORS[name].signed)
        assert ((arrays["reason"] == reason) == undefined).all()
        assert (np.isnan(arrays["score"]) == undefined).all()
        for compared in ("target_similarity", "other_class_similarity", "reference_similarity"):
            unsigned = np.isnan(arrays[compared][..., SIMILARITIES.index("pearson")]).all()
            assert unsigned == (not ATTRIBUTORS[name].signed)
    assert {ATTRIBUTORS[name].signed for name in context.spec.explain.methods} == {True, False}


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 0.0])
def test_an_undefined_map_to_compare_with_is_not_the_maps_own_fault(
    context: Context, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    others = other_class_maps(context, Task("score", 0, 0))
    others[1] = value
    monkeypatch.setattr(comparisons, "other_class_maps", lambda *_: others)
    arrays = score(context, Task("score", 0, 0))
    missing = np.isnan(arrays["other_class_similarity"][..., SIMILARITIES.index("pearson")])
    assert missing[1].all()
    assert not missing[[0, 2, 3]].any()
    assert (arrays["reason"] == 0).all()
    assert np.isfinite(arrays["target_similarity"]).all()


def test_metrics_read_the_stored_maps(context: Context) -> None:
    values = context.store.read("attribution", slice(None), slice(None), 0).astype(np.float32)
    stored = torch.from_numpy(values * context.store.read("scale", slice(None), slice(None), 0)[..., None, None])
    column = list(MAP_METRICS).index("sparseness")
    expected = METRICS["sparseness"](stored.flatten(0, 1)).reshape(stored.shape[:2])
    written = context.store.read("score", slice(None), slice(None), 0, column)
    torch.testing.assert_close(torch.from_numpy(written), expected.float())


def test_a_score_is_a_number_or_has_a_reason(context: Context) -> None:
    scores, reasons = context.store.read("score"), context.store.read("reason")
    assert (np.isnan(scores) == (reasons > 0)).all()
    assert reasons.max() < len(REASONS)


def test_without_masks_every_score_that_needs_one_says_so(context: Context) -> None:
    arrays = score(replace(context, plan=replace(context.plan, has_masks=False)), Task("score", 0, 0))
    assert np.isnan(arrays["score"][..., needs_mask()]).all()
    assert (arrays["reason"][..., needs_mask()] == REASONS.index("the data set has no masks")).all()
    assert (arrays["reason"][..., ~needs_mask()] == 0).all()


def test_an_empty_mask_is_a_reason_of_its_image_alone(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = torch.from_numpy(context.store.read("mask", slice(0, 4)))
    masks[2] = False
    monkeypatch.setattr(map_scores, "read_masks", lambda *_: (masks, torch.zeros_like(masks)))
    arrays = score(context, Task("score", 0, 0))
    empty = REASONS.index("the mask is empty")
    assert (arrays["reason"][2][..., needs_mask()] == empty).all()
    assert (arrays["reason"][[0, 1, 3]] != empty).all()
    assert (np.isnan(arrays["score"]) == (arrays["reason"] > 0)).all()


def test_an_image_of_whose_object_nothing_is_known_is_a_reason(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = torch.from_numpy(context.store.read("mask", slice(0, 4)))
    masks[2], ignored = False, torch.zeros_like(masks)
    ignored[2] = True
    monkeypatch.setattr(map_scores, "read_masks", lambda *_: (masks, ignored))
    arrays = score(context, Task("score", 0, 0))
    unknown = REASONS.index("no mask says where the explained object is")
    assert (arrays["reason"][2][..., needs_mask()] == unknown).all()
    assert (arrays["reason"][2][..., ~needs_mask()] == 0).all()
    assert (arrays["reason"][[0, 1, 3]] != unknown).all()
    assert (np.isnan(arrays["score"]) == (arrays["reason"] > 0)).all()


def test_ignored_pixels_reach_the_metrics_of_masks_and_no_others(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, of_masks = Task("score", 0, 0), np.flatnonzero(needs_mask())
    masks, before = torch.from_numpy(context.store.read("mask", slice(0, 4))), score(context, Task("score", 0, 0))
    ignored = torch.zeros_like(masks)
    ignored[:, :, :5] = True
    monkeypatch.setattr(map_scores, "read_masks", lambda *_: (masks, ignored))
    after, maps = score(context, task), read_maps(context, task)
    assert np.array_equal(after["score"][..., ~needs_mask()], before["score"][..., ~needs_mask()], equal_nan=True)
    for column in of_masks:
        expected = list(MAP_METRICS.values())[column](maps[:, 0], masks, ignored)
        assert np.array_equal(after["score"][:, 0, 0, column], expected.numpy(), equal_nan=True)


def test_a_map_without_contrast_is_a_reason(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = read_maps(context, Task("score", 0, 0))
    maps[1, 2] = 0
    monkeypatch.setattr(scoring, "read_maps", lambda *_: maps)
    arrays = score(context, Task("score", 0, 0))
    nothing = REASONS.index("the map has nothing to compare")
    column = list(MAP_METRICS).index("pearson")
    assert arrays["reason"][1, 2, 0, column] == nothing
    assert np.isnan(arrays["score"][1, 2, 0, column])
    others = np.ones(maps.shape[:2], bool)
    others[1, 2] = False
    assert (arrays["reason"][:, :, 0][others] == 0).all()


def test_a_map_that_is_not_finite_is_a_reason(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = read_maps(context, Task("score", 0, 0))
    maps[1, 2, 0, 0] = torch.nan
    maps[3, 0, 0, 0] = torch.inf
    monkeypatch.setattr(scoring, "read_maps", lambda *_: maps)
    arrays = score(context, Task("score", 0, 0))
    broken = np.zeros((*maps.shape[:2], len(MAP_METRICS)), bool)
    broken[1, 2] = broken[3, 0] = True
    broken[3, :, [entry.of == "two maps" for entry in MAP_METRICS.values()]] = True
    assert ((arrays["reason"][:, :, 0] == REASONS.index("the map is not finite")) == broken).all()
    assert (np.isnan(arrays["score"][:, :, 0]) == broken).all()
    assert np.isnan(arrays["reference_similarity"][3]).all()
    assert np.isfinite(arrays["reference_similarity"][1, 0, list(REFERENCES).index("other_class")]).all()


def test_the_attributor_knows_what_its_entry_needs(context: Context) -> None:
    encoder = context.spec.model.model_copy(update={"encoder": "relu1"})
    spec = context.spec.model_copy(update={"model": encoder})
    model = Model(context.model.network, (0.5,), (0.25,))
    known = replace(context, spec=spec, model=model)
    assert known.attributor("srd").keywords == {"encoder": "relu1", "operations": {}}  # type: ignore[attr-defined]
    assert known.attributor("saliency").keywords == {}  # type: ignore[attr-defined]
    baseline = known.attributor("integrated_gradients").keywords["baseline"]  # type: ignore[attr-defined]
    assert torch.equal(baseline, torch.full((1, 1, 1), -2.0))


def test_the_background_is_of_distinct_images_and_the_same_for_every_task(context: Context) -> None:
    background = context.attributor("expected_gradients").keywords["background"]  # type: ignore[attr-defined]
    again = context.attributor("expected_gradients").keywords["background"]  # type: ignore[attr-defined]
    n = min(len(context.data.ids), BACKGROUND)
    known = {image.numpy().tobytes() for image in context.model.normalise(context.data.images(range(n)))}
    assert torch.equal(background, again)
    assert {image.numpy().tobytes() for image in background} == known
    assert len(background) == n
