"""Fine-tuning of copies: the loss against its definition, what is lowered, what is left as found, the same bytes."""

import copy
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import generator, left_as_found, small, uniform

from attacks.manipulated_models.fine_tuning import (
    CrossEntropy,
    Examples,
    Loss,
    Manipulation,
    Settings,
    explain_examples,
    fine_tune,
)
from attacks.manipulated_models.goals import MANIPULATION_GOALS
from attacks.types import Model
from srd.baselines.grad_cam import grad_cam
from srd.baselines.saliency import saliency
from srd.baselines.smooth_grad import smooth_grad
from srd.decomposition import decompose
from srd.types import Attributor, Generators, Inputs, Maps, Target

N, STEPS, WEIGHT = 10, 30, 5.0
ROWS = torch.arange(N)
SETTINGS = Settings(steps=STEPS, batch=4, rate=1e-2)
METHODS: dict[str, Attributor] = {"srd": decompose, "saliency": saliency}


def model_of(seed: int = 0) -> Model:
    return Model(small(seed), (0.4,), (0.5,)).double().eval()


def examples_of(model: Model) -> Examples:
    images = uniform(N, 3, 12, 14)
    with torch.no_grad():
        predicted = model(images).argmax(1)
    return Examples(images, predicted, predicted)


def manipulation(model: Model, method: Attributor, goal: str, weight: float = WEIGHT) -> Manipulation:
    examples = examples_of(model)
    original = explain_examples(model, examples, method, ROWS, generator())
    return Manipulation(examples, method, MANIPULATION_GOALS[goal].progress, original, weight)


def value(loss: Loss, model: Model) -> float:
    """Return the loss of all examples."""
    return float(loss(model, ROWS, generator()).detach())


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def test_the_loss_is_cross_entropy_less_the_weighted_goal() -> None:
    model, other = model_of(), model_of(1)
    loss = manipulation(model, decompose, "top_k")
    rows = torch.tensor([3, 1, 7])
    examples = loss.examples
    maps = decompose(other.network, other.normalise(examples.images[rows]), examples.target[rows])
    kept = (maps.abs().sum((1, 2)) / loss.original[rows].abs().sum((1, 2))).clamp(max=1)
    reached = (MANIPULATION_GOALS["top_k"].progress(maps, loss.original[rows]) * kept).mean()
    expected = functional.cross_entropy(other(examples.images[rows]), examples.label[rows]) - WEIGHT * reached
    torch.testing.assert_close(loss(other, rows, generator()), expected)
    assert float(kept.min()) < 1


def test_a_map_that_is_0_has_reached_nothing_and_gives_no_nan() -> None:
    def nothing_on_the_first(
        network: nn.Module,
        inputs: Inputs,
        target: Target,
        generators: Generators | None = None,
        *,
        create_graph: bool = False,
    ) -> Maps:
        keep = torch.arange(len(inputs))[:, None, None] > 0
        return saliency(network, inputs, target, create_graph=create_graph) * keep

    model = model_of()
    whole = manipulation(model, saliency, "location_corner")
    part = manipulation(model, nothing_on_the_first, "location_corner")
    plain = value(CrossEntropy(whole.examples), model)
    first = float(whole.goal(whole.original[:1], whole.original[:1]))
    all_of_it, rest = ((plain - value(each, model)) * N / WEIGHT for each in (whole, part))
    assert rest == pytest.approx(all_of_it - first)
    tuned = fine_tune(model, part, N, Settings(2, N, 1e-2), generator())
    assert all(bool(each.isfinite().all()) for each in tuned.state_dict().values())


@pytest.mark.parametrize("goal", MANIPULATION_GOALS)
@pytest.mark.parametrize("method", METHODS)
def test_fine_tuning_comes_nearer_to_the_goal_than_without_it(method: str, goal: str) -> None:
    model, explain = model_of(), METHODS[method]
    loss = manipulation(model, explain, goal)
    manipulated = fine_tune(model, loss, N, SETTINGS, generator())
    control = fine_tune(model, CrossEntropy(loss.examples), N, SETTINGS, generator())

    def reached(network: Model) -> float:
        maps = explain_examples(network, loss.examples, explain, ROWS, generator())
        return float(loss.goal(maps, loss.original).mean())

    assert reached(manipulated) > max(reached(model), reached(control)) + 0.02
    assert value(loss, manipulated) < value(loss, model)


def test_the_loss_of_the_control_is_lowered() -> None:
    model = model_of()
    loss = CrossEntropy(examples_of(model))
    tuned = fine_tune(model, loss, N, SETTINGS, generator())
    assert value(loss, tuned) < 0.5 * value(loss, model)


@pytest.mark.parametrize("frozen", [True, False])
def test_the_model_is_left_as_found_and_every_parameter_of_the_copy_moves(frozen: bool) -> None:
    model = model_of().train()
    if frozen:
        model.requires_grad_(False)
    loss = manipulation(model, decompose, "location_corner")
    with left_as_found(model):
        tuned = fine_tune(model, loss, N, Settings(2, N, 1e-2), generator())
    before, after = state_of(model), state_of(tuned)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name, _ in model.named_parameters()}  # the running statistics have stayed
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in tuned.parameters())
    assert not tuned.training


def test_the_same_stream_gives_the_same_bytes_and_another_others() -> None:
    model = model_of()
    loss = manipulation(model, smooth_grad, "location_corner")
    first, again, other = (
        state_of(fine_tune(model, loss, N, Settings(4, 4, 1e-2), generator(seed))) for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_both_losses_see_the_same_batches_and_every_example_as_often() -> None:
    model = model_of()
    examples = examples_of(model)

    def batches(draws: bool) -> list[list[int]]:
        seen: list[list[int]] = []

        def noted(tuned: Model, rows: Tensor, stream: torch.Generator) -> Tensor:
            seen.append(rows.tolist())
            if draws:
                torch.rand(7, generator=stream)
            return CrossEntropy(examples)(tuned, rows, stream)

        fine_tune(model, noted, N, Settings(6, 4, 1e-3), generator())
        return seen

    seen = batches(draws=False)
    assert seen == batches(draws=True)
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2]
    assert set(Counter(row for rows in seen for row in rows).values()) == {2}


def test_grad_cam_is_moved_without_being_led_to_0() -> None:
    model = model_of()
    loss = manipulation(model, grad_cam, "location_corner")
    tuned = fine_tune(model, loss, N, SETTINGS, generator())
    strength = explain_examples(tuned, loss.examples, grad_cam, ROWS, generator()).sum((1, 2))
    was = loss.original.sum((1, 2))
    assert int((strength > 0).sum()) >= int((was > 0).sum())
