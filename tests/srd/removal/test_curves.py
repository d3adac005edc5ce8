"""Removal curves against removing by hand, RISE's own algorithm, and the closed form of a linear network."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from metric_arguments import Asked
from numpy.typing import NDArray
from played_device import played_device
from torch import Tensor, nn
from toys import classes, demo_inputs, demo_model, demo_network, generator, left_as_found, normal, small

from srd.baselines.input_x_gradient import input_x_gradient
from srd.baselines.saliency import saliency
from srd.entries import Fill
from srd.registry import METRICS
from srd.removal.answers import ANSWERS, answers
from srd.removal.curves import ORDERS, removal_curve
from srd.removal.fills import FILLS
from srd.removal.orders import removal_orders
from srd.types import Inputs, Maps

STEPS = 8
MOST, LEAST = range(2)
LOGIT, PROBABILITY, KEPT = range(3)
Picture = NDArray[np.float64]


def order_of(maps: Maps) -> Tensor:
    """The order of one map; pixels of one value in the order of their numbers."""
    return removal_orders(maps, torch.arange(maps[0].numel())[None])[0]


def slow_curve(network: nn.Module, inputs: Inputs, target: Tensor, order: list[int], filled: Inputs) -> Tensor:
    """Pixels go one after the other; the network is asked whenever another share of them is gone."""
    width, pixels = inputs.shape[3], len(order)
    picture, found = inputs.clone(), [answers(network, inputs, target)[0]]
    shares = [round(step * pixels / STEPS) for step in range(1, STEPS + 1)]
    for gone, pixel in enumerate(order, start=1):
        row, column = divmod(pixel, width)
        picture[0, :, row, column] = filled[0, :, row, column]
        found += [answers(network, picture, target)[0]] * shares.count(gone)
    return torch.stack(found)


@pytest.mark.parametrize("name", ["blur", "black", "mean"])
def test_a_curve_is_what_comes_of_removing_pixel_by_pixel(name: Fill) -> None:
    network, x, target = small(), normal(1, 3, 6, 9), classes(1)
    filled = FILLS[name](x, -torch.ones(3, 1, 1))
    order = order_of(normal(1, 6, 9, seed=1))
    found = removal_curve(network, x, target, order, filled, STEPS)
    assert found.shape == (len(ORDERS), STEPS + 1, len(ANSWERS))
    torch.testing.assert_close(found[MOST], slow_curve(network, x, target, order.tolist(), filled))
    torch.testing.assert_close(found[LEAST], slow_curve(network, x, target, order.tolist()[::-1], filled))
    assert torch.equal(found[MOST, [0, -1]], found[LEAST, [0, -1]]), "both ends are asked once"


def test_the_network_reads_each_end_once_and_one_step_has_no_middle() -> None:
    asked: list[int] = []
    network, x = small(), normal(1, 3, 6, 9)
    network.register_forward_hook(lambda module, inputs, logits: asked.append(len(inputs[0])))
    order, filled = order_of(normal(1, 6, 9)), 0 * x
    assert removal_curve(network, x, classes(1), order, filled, 1).shape == (2, 2, 3)
    removal_curve(network, x, classes(1), order, filled, 10)
    assert asked == [2, 20]


def test_a_curve_leaves_the_network_and_its_arguments() -> None:
    network, x = small().train(), normal(1, 3, 6, 9)
    order, filled, target = order_of(normal(1, 6, 9)), 0 * x, classes(1)
    with left_as_found(network, x, order, filled, target):
        removal_curve(network, x, target, order, filled, STEPS)


def test_a_curve_is_asked_on_the_device_of_the_inputs() -> None:
    """Played: no run on a GPU; the order stays where it was made."""
    network, x, order, target = small(), normal(1, 3, 6, 9), order_of(normal(1, 6, 9)), classes(1)
    expected = removal_curve(network, x, target, order, 0 * x, STEPS)
    with played_device() as device:
        moved = x.to(device)
        found = removal_curve(small().to(device), moved, target.to(device), order, 0 * moved, STEPS)
        assert found.device == device
        assert torch.equal(found.cpu(), expected)


def test_the_order_of_another_map_turned_round_exchanges_the_curves() -> None:
    network, x, maps = small(), normal(1, 3, 6, 9), normal(1, 6, 9, seed=1)
    found, turned = (removal_curve(network, x, classes(1), order_of(each), 0 * x, STEPS) for each in (maps, -maps))
    torch.testing.assert_close(found.flip(0), turned)


# RISE (Petsiuk, Das, Saenko 2018), evaluation.py, written again in its own terms.


def rise_curve(
    probability: Callable[[Picture], float], image: Picture, substrate: Picture, saliency: Picture, step: int, mode: str
) -> list[float]:
    """CausalMetric.single_run: `step` pixels at a time go from one picture to the other, the most salient first."""
    pixels = saliency.size
    start, finish = (image.copy(), substrate) if mode == "del" else (substrate.copy(), image)
    salient_order = np.flip(np.argsort(saliency.reshape(-1)), axis=0)
    scores = []
    for number in range((pixels + step - 1) // step + 1):
        scores.append(probability(start))
        chosen = salient_order[step * number : step * (number + 1)]
        start.reshape(3, pixels)[:, chosen] = finish.reshape(3, pixels)[:, chosen]
    return scores


def rise_auc(scores: list[float]) -> float:
    """Their `auc`: the area under the curve, normalised by the number of steps."""
    return (sum(scores) - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


@pytest.mark.parametrize(("mode", "name"), [("del", "black"), ("ins", "blur")])
@pytest.mark.parametrize("network_name", ["vgg", "resnet"])
def test_deletion_and_insertion_are_those_of_rise(mode: str, name: Fill, network_name: str) -> None:
    """Black for deletion and blur for insertion: 2304 pixels in 8 steps."""
    x, target = demo_inputs(3)
    model = demo_model(network_name)
    network = demo_network(network_name)
    maps = saliency(network, x, target) + 1e-9 * normal(3, 48, 48, dtype=torch.float32)
    filled = FILLS[name](x, model.black)
    for row in range(3):
        at = slice(row, row + 1)
        curve = removal_curve(network, x[at], target[at], order_of(maps[at]), filled[at], STEPS)[:, :, PROBABILITY]

        def probability(picture: Picture, wanted: int = int(target[row])) -> float:
            logits = network(torch.from_numpy(picture).float()[None])
            return float(logits.softmax(1)[0, wanted].detach())

        image, substrate = (each[row].double().numpy() for each in (x, filled))
        theirs = rise_curve(probability, image, substrate, maps[row].double().numpy(), 48 * 48 // STEPS, mode)
        ours = curve[MOST] if mode == "del" else curve[LEAST].flip(0)
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-5)
        metric = METRICS["deletion" if mode == "del" else "insertion"]
        assert float(metric(*curve[:, None])) == pytest.approx(rise_auc(theirs), abs=2e-5)


# A linear network, whose curves have a closed form.


def linear_rows(n: int, h: int, w: int) -> tuple[Asked, Inputs, Tensor]:
    return Asked(h, w), normal(n, 1, h, w, seed=12), classes(n, 3)


@pytest.mark.parametrize("name", ["mean", "black", "blur"])
def test_the_logit_of_a_linear_network_falls_by_the_sum_of_what_was_removed(name: Fill) -> None:
    """Input times gradient, from the fill, says what each pixel adds; its order is the best there is."""
    network, x, target = linear_rows(3, 8, 8)
    filled = FILLS[name](x, torch.full((1, 1, 1), -0.5))
    truth = network.contributions(x - filled)
    for row in range(3):
        at = slice(row, row + 1)
        curve = removal_curve(network, x[at], target[at], order_of(truth[at]), filled[at], STEPS)[:, :, LOGIT]
        start = float(network(x[at]).detach()[0, target[row]])
        descending = truth[row].flatten().sort(descending=True).values
        for order, values in ((MOST, descending), (LEAST, descending.flip(0))):
            lost = torch.cat([torch.zeros(1), values.unflatten(0, (STEPS, -1)).sum(1).cumsum(0)])
            torch.testing.assert_close(curve[order], start - lost)
        another = removal_curve(network, x[at], target[at], order_of(normal(1, 8, 8)), filled[at], STEPS)[:, :, LOGIT]
        assert bool((curve[MOST] <= another[MOST] + 1e-12).all())
        assert bool((curve[LEAST] >= another[LEAST] - 1e-12).all())


class Two(nn.Module):
    """Logits w x and 0: the target's probability is the sigmoid of its logit."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, inputs: Inputs) -> Tensor:
        logit = inputs.flatten(1) @ self.weight
        return torch.stack([logit, torch.zeros_like(logit)], 1)


def test_deletion_insertion_and_srg_of_input_times_gradient_on_a_linear_network_have_a_closed_form() -> None:
    x, weight = normal(1, 1, 10, 10), 0.3 * normal(100, seed=1)
    target = torch.tensor([0])
    maps = input_x_gradient(Two(weight), x, target)
    curve = removal_curve(Two(weight), x, target, order_of(maps), 0 * x, 10)[:, :, PROBABILITY]
    parts = (x.flatten() * weight).sort(descending=True).values.unflatten(0, (10, -1)).sum(1)
    whole, gone = parts.sum(), torch.cat([torch.zeros(1), parts.cumsum(0)])
    deletion = float(torch.trapezoid((whole - gone).sigmoid()) / 10)
    insertion = float(torch.trapezoid(gone.sigmoid()) / 10)
    found = {name: float(METRICS[name](*curve[:, None])) for name in ("deletion", "insertion", "srg")}
    assert found == pytest.approx(
        {"deletion": deletion, "insertion": insertion, "srg": insertion - deletion}, abs=1e-12
    )


def test_insertion_is_the_curve_of_putting_pixels_back_the_highest_first() -> None:
    """At one fill the curve that removes the lowest first, read from its end, is insertion itself."""
    network, x, target = small(), normal(1, 3, 6, 9), classes(1)
    order, filled = order_of(normal(1, 6, 9, seed=1)), FILLS["blur"](x, x)
    least = removal_curve(network, x, target, order, filled, STEPS)[LEAST]
    back = removal_curve(network, filled, target, order, x, STEPS)[MOST]
    torch.testing.assert_close(least.flip(0), back)


def test_srg_is_insertion_less_deletion_and_that_of_random_orders_is_zero_on_average() -> None:
    network, x, target = demo_network("vgg"), *demo_inputs(1)
    filled, draw = FILLS["blur"](x, x), generator(5)
    curves = torch.stack(
        [removal_curve(network, x, target, torch.randperm(48 * 48, generator=draw), filled, 5)[:, :, PROBABILITY]
         for _ in range(60)]
    )  # fmt: skip
    deletion, insertion, srg = (METRICS[name](*curves.unbind(1)) for name in ("deletion", "insertion", "srg"))
    torch.testing.assert_close(srg, insertion - deletion)
    assert abs(float(srg.mean())) < 4 * float(srg.std()) / 60**0.5
