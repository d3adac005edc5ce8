"""What the network is asked is what the definitions say, of the images that are drawn, and of no others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slow_removal as slow
import torch
from numpy.typing import NDArray
from small_audits import Finished, edit, finish, same, store_in, write_audit

from pipeline.execution.planning import asked_images
from pipeline.machine import seeds
from pipeline.plan.axes import ANSWERS, CONTROLS, ORDERS, RANKINGS, SUBSET_SIZES, subset_names
from pipeline.plan.conditions import CLEAN
from pipeline.spec.measure import FILLS, MeasureSpec
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.results import open_results
from srd.registry import ATTRIBUTORS
from srd.removal import answers, curves, subsets
from srd.removal.fills import FILLS as MADE

ATTACKED = ("srd", 3)
"""The method that is attacked, and the column of the attack."""


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run whose methods include the controls, of a network for which black is not the mean."""
    folder = tmp_path_factory.mktemp("controlled")
    spec = edit(write_audit(folder / "audit"), '["srd", "saliency", "random"]', '["srd", "edges", "random"]')
    edit(spec, 'classes = "classes.json"\n', 'classes = "classes.json"\nmean = [0.4]\nstd = [0.5]\n')
    return finish(spec, folder / "run")


def inputs_of(context: Context, row: int, column: int = 0) -> NDArray[np.float32]:
    image = torch.from_numpy(context.store.read("input", slice(row, row + 1), column))
    return context.inputs(image)[0].numpy()


def map_of(context: Context, row: int, method: int, column: int = 0) -> NDArray[np.float32]:
    values: NDArray[np.float32] = context.store.read("attribution", row, column, method).astype(np.float32)
    scaled: NDArray[np.float32] = values * context.store.read("scale", row, column, method)
    return scaled


def asked(context: Context, stage: str) -> list[int]:
    return [row for task in context.plan.tasks(stage) if task.column == 0 for row in context.plan.asked_rows(task)]


def test_the_names_along_the_axes_are_those_of_what_is_measured() -> None:
    assert (ANSWERS, ORDERS) == (answers.ANSWERS, curves.ORDERS)
    assert subsets.SIZES == SUBSET_SIZES
    assert set(FILLS) | {"mean"} == set(MADE)
    names = subset_names(MeasureSpec(subsets=7))
    assert len(names) == len(set(names)) == 7 + 81 + 3 * 50 + 3
    assert [names[at] for at in (0, 6, 7, 87, 88, 138, -1)] == [
        *("random#1", "random#7", "cell#1", "cell#81", "size08#1", "size20#1", "filled:mean"),
    ]


def test_the_images_are_drawn_by_a_stream_and_the_first_are_not_preferred(context: Context) -> None:
    measure, n = MeasureSpec(n_faithfulness=10, n_randomise=5), 1000
    found = asked_images(measure, 7, n)
    assert found == {
        "faithfulness": tuple(sorted(seeds.permutation(7, n, "faithfulness")[:10])),
        "randomisation": tuple(sorted(seeds.permutation(7, n, "randomisation")[:5])),
    }
    assert all(max(rows) > n / 2 for rows in found.values())
    assert found["randomisation"] != found["faithfulness"][:5]
    assert asked_images(measure, 7, 3) == {"faithfulness": (0, 1, 2), "randomisation": (0, 1, 2)}
    assert context.plan.asked == asked_images(context.spec.measure, context.spec.run.seed, len(context.data.ids))


@pytest.mark.parametrize(
    ("names", "stage"),
    [
        (("occluded", "control_curve"), "occlude"),
        (("curve",), "remove"),
        (("randomised_attribution", "randomised_scale"), "randomise"),
    ],
)
def test_all_of_an_image_is_stored_if_it_is_asked_about_and_nothing_else(
    finished: Finished, names: tuple[str, ...], stage: str
) -> None:
    rows, n = asked(finished.context, stage), len(finished.context.data.ids)
    assert 0 < len(rows) < n
    assert rows != list(range(len(rows)))
    dataset = open_results(finished.job.store)
    for name in names:
        missing = np.isnan(dataset[name].values).reshape(n, -1)
        assert not missing[rows].any()
        assert missing[[row for row in range(n) if row not in rows]].all()


def test_a_tile_without_an_image_that_is_asked_about_has_no_task(spec: Path, tmp_path: Path) -> None:
    edit(edit(spec, "n_randomise = 2", "n_randomise = 1"), "tile = 4", "tile = 2")
    run = finish(spec, tmp_path / "run")
    (row,) = run.context.plan.asked["randomisation"]
    assert {task.tile for task in run.context.plan.tasks("randomise")} == {row // 2}
    assert not any(outcome.error for outcome in run.watch.outcomes)
    weights = open_results(run.job.store)["reference_similarity"].sel(reference="weights:1/4", similarity="ssim")
    assert np.isfinite(weights.values[:, 0]).tolist() == [image == row for image in range(6)]


def test_the_answers_without_subsets_are_those_of_the_definition(controlled: Finished) -> None:
    context = controlled.context
    network, seed, n = context.model.network, context.spec.run.seed, context.spec.measure.subsets
    black = context.model.black.numpy()
    for row in asked(context, "occlude"):
        image, target = inputs_of(context, row), int(context.targets[row])
        removed = [slow.without_cells(image, cells) for cells in slow.drawn_subsets(seed, context.data.ids[row], n)]
        whole = [slow.filled(image, fill, black) for fill in ("blur", "black", "mean")]
        expected = [slow.answer(network, each, target) for each in (*removed, *whole)]
        np.testing.assert_allclose(context.store.read("occluded", row), expected, atol=1e-5)


def curves_by(
    context: Context, row: int, values: NDArray[np.float32], fills: list[str], column: int = 0
) -> NDArray[np.float64]:
    """Return (fill, order, step, answer)."""
    image, target = inputs_of(context, row, column), int(context.targets[row])
    order = slow.order(values, context.spec.run.seed, context.data.ids[row])
    fill = [slow.filled(image, each, context.model.black.numpy()) for each in fills]
    steps, network = context.spec.measure.steps, context.model.network
    orders = order, order[::-1]
    return np.array([[slow.curve(network, image, target, each, one, steps) for each in orders] for one in fill])


def test_curves_are_those_of_the_definition(controlled: Finished) -> None:
    context = controlled.context
    for row in asked(context, "remove"):
        for method in range(len(context.spec.explain.methods)):
            expected = curves_by(context, row, map_of(context, row, method), list(FILLS))
            np.testing.assert_allclose(context.store.read("curve", row, method), expected, atol=1e-5)


def test_attacked_images_are_asked_about_by_the_attacked_map_and_by_chance(finished: Finished) -> None:
    context = finished.context
    method, column = ATTACKED
    found = open_results(finished.job.store)["attacked_curve"].values
    place = context.spec.explain.methods.index(method)
    for row in asked(context, "remove"):
        stream = seeds.generator(context.spec.run.seed, "attribute", context.data.ids[row], CLEAN, "random")
        by_chance = torch.randn(16, 16, generator=stream).numpy().astype(np.float16).astype(np.float32)
        orders = {"attribution": map_of(context, row, place, column), "random": by_chance}
        expected = [curves_by(context, row, orders[ranking], ["blur"], column)[0] for ranking in RANKINGS]
        np.testing.assert_allclose(found[row, column, place], expected, atol=1e-5)
    elsewhere = np.ones(found.shape[:3], bool)
    elsewhere[np.ix_(asked(context, "remove"), [column], [place])] = False
    assert np.isnan(found[elsewhere]).all()


def test_without_attacks_on_explanations_no_array_of_them_is_held(spec: Path, tmp_path: Path) -> None:
    attack = '[[perturbation]]\nname = "manipulate"\nstrengths = ["8/255"]\nagainst = ["srd"]\noptions.steps = 2\n'
    run = finish(edit(spec, attack, ""), tmp_path / "run")
    assert "attacked_curve" not in open_results(run.job.store)


def test_a_control_that_is_a_method_has_the_curves_of_the_control(controlled: Finished) -> None:
    context = controlled.context
    for number, control in enumerate(CONTROLS):
        method = context.spec.explain.methods.index(control)
        own = context.store.read("curve", slice(None), method)
        assert own.tobytes() == context.store.read("control_curve", slice(None), number).tobytes()
        assert np.isfinite(own[asked(context, "remove")]).all()


@torch.no_grad()
def drawn_again(context: Context, layers: list[str], draw: int) -> torch.nn.Module:
    """Return a network with these layers drawn again: weights as normal noise, biases in another order."""
    fresh = type(context.model.network)()
    fresh.load_state_dict(context.model.network.state_dict())
    for name in layers:
        stream = seeds.generator(context.spec.run.seed, "randomise", str(draw), name)
        layer = getattr(fresh, name)
        weight = layer.weight.double().numpy()
        noise = torch.randn(weight.shape, generator=stream).double().numpy()
        layer.weight.copy_(torch.from_numpy(weight.mean() + weight.std() * noise))
        layer.bias.copy_(layer.bias[torch.randperm(len(layer.bias), generator=stream)])
    return fresh.eval()


def test_maps_of_networks_drawn_again_are_the_methods_own(finished: Finished) -> None:
    """The network has three layers: conv1, conv2, fc. The map of saliency is that of the definition, by hand."""
    context, dataset = finished.context, open_results(finished.job.store)
    every = ["conv1", "conv2", "fc"]
    depths = {"1/4": (every[:1], 1), "2/4": (every[:2], 1), "3/4": (every, 1), "4/4#1": (every, 1), "4/4#2": (every, 2)}
    assert dataset["depth"].values.tolist() == list(depths)
    for depth, (layers, draw) in depths.items():
        network = drawn_again(context, layers, draw)
        for row in asked(context, "randomise"):
            inputs = torch.from_numpy(inputs_of(context, row))[None].requires_grad_()
            network(inputs)[0, int(context.targets[row])].backward()
            assert inputs.grad is not None
            stored = dataset.isel(image=row).sel({"method": "saliency", "depth": depth})
            found = stored["randomised_attribution"].values.astype(np.float32) * stored["randomised_scale"].values
            np.testing.assert_allclose(found, inputs.grad[0].abs().sum(0), rtol=2e-3, atol=1e-6)


def test_a_method_that_does_not_read_the_network_has_the_same_map_by_every_network(controlled: Finished) -> None:
    """What it draws is what it drew for the stored map, so that noise is not taken for a dependence on weights."""
    context, dataset = controlled.context, open_results(controlled.job.store)
    for method in ("edges", "random"):
        assert not ATTRIBUTORS[method].uses_network
        weights = dataset["reference_similarity"].sel({"method": method, "similarity": "pearson"})
        names = [name for name in weights["reference"].values if name.startswith("weights:")]
        rows = asked(context, "randomise")
        np.testing.assert_allclose(weights.sel(reference=names).values[rows], 1, atol=1e-5)


@pytest.mark.parametrize("stage", ["occlude", "remove", "randomise"])
def test_images_that_are_not_asked_about_change_no_byte_of_the_others(context: Context, stage: str) -> None:
    for task in context.plan.tasks(stage):
        rows = context.plan.asked_rows(task)
        whole = compute(context, task)
        for row in rows:
            fewer = dict.fromkeys(context.plan.asked, (row,))
            alone = compute(replace(context, plan=replace(context.plan, asked=fewer)), task)
            place = row - context.rows(task).start
            cut = {name: values[place] for name, values in whole.items()}
            assert same({name: values[place] for name, values in alone.items()}, cut)


CATEGORIES = [
    (("similarity",), {"perturb", "attribute", "score"}),
    (("similarity", "randomisation"), {"perturb", "attribute", "randomise", "score"}),
    (("similarity", "faithfulness"), {"perturb", "attribute", "occlude", "remove", "score"}),
]


@pytest.mark.parametrize(("categories", "stages"), CATEGORIES)
def test_what_is_not_asked_has_no_tasks_and_no_arrays(
    spec: Path, tmp_path: Path, categories: tuple[str, ...], stages: set[str]
) -> None:
    run = finish(edit(spec, "[measure]\n", f"[measure]\ncategories = {list(categories)}\n"), tmp_path / "run")
    assert {outcome.task.stage for outcome in run.watch.outcomes} == stages
    dataset = open_results(store_in(tmp_path / "run"))
    held = {"occluded", "control_curve", "curve", "attacked_curve"} & set(dataset.data_vars)
    assert bool(held) == ("occlude" in stages)
    assert ("randomised_attribution" in dataset) == ("randomise" in stages)
    assert any(str(name).startswith("weights:") for name in dataset["reference"].values) == ("randomise" in stages)
    assert len(dataset["quality"]) > 0
