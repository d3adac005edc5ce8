"""Metrics that ask the network read what is stored; where one says nothing, its reason is the true one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from small_audits import Finished, create_like, edit, finish, store_in, write_audit
from torch import Tensor, nn

from attacks.types import Model
from pipeline.plan.axes import ANSWERS, subset_names
from pipeline.plan.schema import PREPARED, REASONS, REFERENCES, Reason
from pipeline.plan.tasks import Task
from pipeline.stages import comparisons
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.stages.evidence import Answers
from pipeline.stages.score import score
from pipeline.stages.stored_maps import redrawn_maps
from pipeline.store.results import open_results
from pipeline.store.store import Store
from srd.registry import METRICS, QUALITIES, SIMILARITIES

NAMES = list(QUALITIES)
ASKS_CURVES = [name for name, entry in QUALITIES.items() if entry.of == "curves"]
ASKS_SUBSETS = [name for name, entry in QUALITIES.items() if entry.of == "subsets"]


@pytest.fixture(scope="module")
def completing(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run with methods that claim to be complete: of the black image, of a mean over images, and none that does."""
    folder = tmp_path_factory.mktemp("completing")
    methods = '["integrated_gradients", "expected_gradients", "edges"]\noptions.expected_gradients.samples = 2'
    spec = edit(write_audit(folder / "audit"), '["srd", "saliency", "random"]', methods)
    edit(spec, 'against = ["srd"]', 'against = ["integrated_gradients"]\noptions.restarts = 1')
    return finish(spec, folder / "run")


def rows_of(context: Context, stage: str) -> list[int]:
    return [row for task in context.plan.tasks(stage) if task.column == 0 for row in context.plan.asked_rows(task)]


def found(context: Context, name: str, method: int) -> NDArray[np.float32]:
    return context.store.read("quality_score", slice(None), method)[:, NAMES.index(name)]


def reasons(context: Context, name: str, method: int) -> list[int]:
    codes: list[int] = context.store.read("quality_reason", slice(None), method)[:, NAMES.index(name)].tolist()
    return codes


def test_a_quality_is_a_number_or_has_a_reason(context: Context) -> None:
    scores, codes = context.store.read("quality_score"), context.store.read("quality_reason")
    assert (np.isnan(scores) == (codes > 0)).all()
    assert codes.max() < len(REASONS)
    for name, entry in QUALITIES.items():
        asked = context.plan.asked[entry.category]  # type: ignore[index]
        not_asked = codes[..., NAMES.index(name)] == Reason.NOT_ASKED
        assert not_asked.any(1).tolist() == [row not in asked for row in range(len(scores))]


def test_curves_are_read_by_their_fill(context: Context) -> None:
    curves = context.store.read("curve")[..., ANSWERS.index("probability")].astype(np.float64)
    rows = rows_of(context, "remove")
    for method in range(len(context.spec.explain.methods)):
        for fill, suffix in (("blur", ""), ("black", "_black"), ("narrow_blur", "_narrow_blur")):
            most, least = curves[rows, method, context.spec.measure.fills.index(fill)].swapaxes(0, 1)
            gain = np.trapezoid(least - most, dx=1 / context.spec.measure.steps, axis=1)
            np.testing.assert_allclose(found(context, f"srg{suffix}", method)[rows], gain, atol=1e-6)


def test_subsets_are_read_by_their_design(context: Context) -> None:
    names = subset_names(context.spec.measure)
    at = [names.index(name) for name in names if name.startswith("cell#")]
    for row in rows_of(context, "remove"):
        answers = context.store.read("occluded", row)[:, ANSWERS.index("logit")]
        whole = context.store.read("control_curve", row)[0, 0, 0, 0, ANSWERS.index("logit")]
        for method in range(len(context.spec.explain.methods)):
            values = context.store.read("attribution", row, 0, method).astype(np.float64)
            cuts = [cell * 16 // 9 for cell in range(9)]
            sums = np.add.reduceat(np.add.reduceat(values, cuts, axis=0), cuts, axis=1).ravel()
            expected = spearmanr(sums, whole - answers[at]).statistic
            np.testing.assert_allclose(found(context, "single_deletion", method)[row], expected, atol=1e-3)


def test_the_clean_answer_is_the_prediction(context: Context) -> None:
    rows = rows_of(context, "occlude")
    whole = context.store.read("control_curve")[rows, 0, 0, 0, 0, ANSWERS.index("logit")]
    logits = context.store.read("prediction", slice(None), 0)[rows, context.targets[rows]]
    np.testing.assert_allclose(whole, logits, atol=1e-5)


def test_completeness_is_asked_of_methods_that_start_from_black_alone(completing: Finished) -> None:
    context = completing.context
    rows = rows_of(context, "remove")
    for method, claims in enumerate((True, False, False)):
        codes = np.array(reasons(context, "completeness", method))
        assert (codes[rows] == (Reason.DEFINED if claims else Reason.NOT_CLAIMED)).all()
    maps = context.store.read("attribution", slice(None), 0, 0).astype(np.float64)
    sums = maps.sum((1, 2)) * context.store.read("scale", slice(None), 0, 0)
    with torch.no_grad():
        clean, black = (
            context.model(torch.from_numpy(context.store.read("input", slice(None), 0))),
            context.model(torch.zeros(1, 3, 16, 16)),
        )
    for row in rows:
        target = int(context.targets[row])
        claimed = float(clean[row, target] - black[0, target])
        gap = abs(sums[row] - claimed) / abs(claimed)
        assert found(context, "completeness", 0)[row] == pytest.approx(gap, rel=1e-2, abs=1e-4)


def test_the_rise_of_complexity_is_the_mean_over_draws(finished: Finished) -> None:
    context, dataset = finished.context, open_results(finished.job.store)
    stored = dataset["randomised_attribution"].values.astype(np.float32)
    maps = torch.from_numpy(stored * dataset["randomised_scale"].values[..., None, None])
    clean = dataset["attribution"].values[:, 0].astype(np.float32) * dataset["scale"].values[:, 0, :, None, None]
    for row in rows_of(context, "randomise"):
        for method in range(3):
            one = torch.from_numpy(clean[row, method])[None]
            draws = [METRICS["complexity_rise"](one, maps[row, method, depth][None]) for depth in (3, 4)]
            expected = float(torch.stack(draws).mean())
            assert found(context, "complexity_rise", method)[row] == pytest.approx(expected, abs=1e-5)


CURVE = torch.tensor([[0.9, 0.5, 0.4, 0.3, 0.2]])
LATER = CURVE.sqrt()


def judged(by_chance: Tensor, most: Tensor = CURVE, least: Tensor = LATER) -> tuple[float, int]:
    sums = (torch.zeros(1), torch.ones(1), torch.zeros(1))
    scores, why = Answers({"blur": (most, least)}, {"blur": by_chance}, {}, sums).judge(METRICS["srg"])
    return float(scores), int(why)


@pytest.mark.parametrize("left", [0.0, 0.05, 0.099])
def test_a_fill_that_takes_the_answer_away_at_once_says_nothing_about_the_order(left: float) -> None:
    """0.7 of the answer is lost in random order; the first step leaves `left` of that."""
    score, why = judged(torch.tensor([[0.9, 0.2 + left * 0.7, 0.25, 0.2, 0.3]]))
    assert np.isnan(score)
    assert why == Reason.UNINFORMATIVE_FILL


@pytest.mark.parametrize(
    "by_chance", [[0.9, 0.28, 0.25, 0.2, 0.3], [0.9, 0.8, 0.3, 0.2, 0.1], [0.2, 0.3, 0.4, 0.5, 0.6]]
)
def test_a_fill_that_leaves_more_or_takes_nothing_does(by_chance: list[float]) -> None:
    score, _ = judged(torch.tensor([by_chance]))
    assert 0 < score < 1


def test_an_answer_that_stays_is_no_uninformative_fill() -> None:
    still = torch.full((1, 5), 0.9)
    score, why = judged(still, still, still)
    assert np.isnan(score)
    assert why == Reason.NO_ANSWER_CHANGE


class Fixed(nn.Module):
    """A network that gives every image the same answer."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.new_tensor([1.0, 2.0, 0.5]).expand(len(inputs), 3)


def asked_of(context: Context, network: nn.Module, folder: Path) -> Context:
    """Return the context of a store with the same inputs and maps, where another network was asked."""
    place = store_in(folder)
    prepared = {name: context.store.read(name) for name in PREPARED}
    create_like(place, context.store, context.plan, prepared)
    made = replace(context, model=Model(network, (0.0,), (1.0,)), store=Store(place))
    for task in (task for task in context.plan.all_tasks() if task.stage != "score"):
        variables = context.plan.variables(task)
        kept = {each.name: context.store.read(each.name, *context.plan.region(task, each)) for each in variables}
        made.store.write(task, compute(made, task) if task.stage in {"occlude", "remove"} else kept)
    return made


def test_a_network_whose_answer_never_changes_leaves_nothing_to_score(context: Context, tmp_path: Path) -> None:
    made = asked_of(context, Fixed(), tmp_path)
    for task in context.plan.tasks("score"):
        arrays = score(made, task)
        asked = [row - context.rows(task).start for row in context.plan.asked_rows(replace(task, stage="remove"))]
        for name in (*ASKS_CURVES, *ASKS_SUBSETS):
            assert np.isnan(arrays["quality_score"][asked, 0, NAMES.index(name)]).all()
            assert (arrays["quality_reason"][asked, 0, NAMES.index(name)] == Reason.NO_ANSWER_CHANGE).all(), name


class Fragile(nn.Module):
    """A network that is sure of an image as long as no pixel of it is 0."""

    def forward(self, inputs: Tensor) -> Tensor:
        whole = inputs.ne(0).all(1).flatten(1).all(1)
        return torch.stack([whole * 9.0] * 3, 1) * torch.tensor([[0.0, 0.0, 1.0]]) + inputs.mean((1, 2, 3))[:, None]


def test_black_says_nothing_of_a_network_that_any_black_pixel_breaks(context: Context, tmp_path: Path) -> None:
    made = asked_of(context, Fragile(), tmp_path)
    made.targets[:] = 2
    for task in context.plan.tasks("score"):
        for stage in ("occlude", "remove"):
            other = Task(stage, task.tile, task.column if stage == "remove" else 0)
            made.store.write(other, compute(made, other))
        codes = score(made, task)["quality_reason"]
        asked = [row - context.rows(task).start for row in context.plan.asked_rows(replace(task, stage="remove"))]
        for name in ("deletion_black", "insertion_black", "srg_black"):
            assert (codes[asked, 0, NAMES.index(name)] == Reason.UNINFORMATIVE_FILL).all()
        assert (codes[asked, 0, NAMES.index("srg")] != Reason.UNINFORMATIVE_FILL).all()


@pytest.mark.parametrize(("value", "why"), [(0.0, Reason.NO_CONTRAST), (torch.nan, Reason.NOT_FINITE)])
def test_a_map_without_an_order_is_not_followed_and_is_its_own_reason(
    context: Context, tmp_path: Path, value: float, why: Reason
) -> None:
    (row, *_) = context.plan.asked_rows(Task("remove", 0, 0))
    place = store_in(tmp_path)
    create_like(place, context.store, context.plan, {name: context.store.read(name) for name in PREPARED})
    made = replace(context, store=Store(place))
    for task in (task for task in context.plan.all_tasks() if task.stage != "score"):
        variables = context.plan.variables(task)
        arrays = {each.name: context.store.read(each.name, *context.plan.region(task, each)) for each in variables}
        if task.stage == "attribute" and task.tile == 0:
            arrays["attribution"][row, 0] = value
        made.store.write(task, compute(made, task) if task.stage == "remove" else arrays)
    curves = made.store.read_output(Task("remove", 0, 0), ["curve"])["curve"]
    others = [each for each in context.plan.asked_rows(Task("remove", 0, 0)) if each != row]
    assert np.isnan(curves[row]).all()
    assert np.isfinite(curves[others]).all()
    arrays = dict(score(made, Task("score", 0, 0)))
    for name in (*ASKS_CURVES, *ASKS_SUBSETS):
        assert arrays["quality_reason"][row, 0, NAMES.index(name)] == why
        assert (arrays["quality_reason"][others, 0, NAMES.index(name)] == Reason.DEFINED).all()


def weights(context: Context, monkeypatch: pytest.MonkeyPatch, column: int, value: float) -> NDArray[np.float32]:
    """Return the similarities (depth, similarity) to maps that are the same everywhere, of the image asked about."""
    task = Task("score", 0, column)
    (row,) = context.plan.asked_rows(Task("randomise", 0, column))
    maps = redrawn_maps(context, task)
    maps[row] = value
    monkeypatch.setattr(comparisons, "redrawn_maps", lambda *_: maps)
    similarities: NDArray[np.float32] = score(context, task)["reference_similarity"][row, 0, len(REFERENCES) :]
    return similarities


@pytest.mark.parametrize("value", [0.0, 0.7, torch.nan, torch.inf])
@pytest.mark.parametrize("column", [0, 1])
def test_a_constant_map_of_a_network_drawn_again_is_unlike_the_clean_one(
    context: Context, monkeypatch: pytest.MonkeyPatch, value: float, column: int
) -> None:
    unsigned = [METRICS[name].needs_sign and column == 1 for name in SIMILARITIES]  # saliency has no sign
    found = weights(context, monkeypatch, column, value)
    assert (np.isnan(found) == unsigned).all()
    assert (found[:, ~np.array(unsigned)] == 0).all()


def test_a_clean_map_that_is_constant_is_compared_with_no_network(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = context.plan.asked_rows(Task("randomise", 0, 0))
    clean = torch.ones(4, 16, 16)
    found = comparisons.reference_similarities(context, Task("score", 0, 0), clean)
    assert found[row, len(REFERENCES) :, SIMILARITIES.index("pearson")].isnan().all()


def test_a_category_that_is_left_out_is_not_scored(spec: Path, tmp_path: Path) -> None:
    edit(spec, "[measure]\n", '[measure]\ncategories = ["similarity", "faithfulness"]\nfills = ["blur"]\n')
    context = finish(spec, tmp_path / "run").context
    codes, quality_codes = context.store.read("reason"), context.store.read("quality_reason")
    for column, entry in enumerate(entry for entry in METRICS.values() if not entry.asks_network):
        is_left_out = entry.category in {"localisation", "complexity"}
        assert ((codes[..., column] == Reason.NOT_ASKED) == is_left_out).all(), entry.name
    rows = rows_of(context, "remove")
    for name, entry in QUALITIES.items():
        is_left_out = entry.category == "randomisation" or (entry.of == "curves" and entry.fill != "blur")
        of_asked = quality_codes[rows, 0, NAMES.index(name)]
        assert ((of_asked == Reason.NOT_ASKED) == is_left_out).all(), name
    assert np.isnan(context.store.read("score")[codes == Reason.NOT_ASKED]).all()
