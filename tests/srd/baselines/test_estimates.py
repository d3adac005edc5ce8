"""Estimates of methods that sum gradients at many points: which points they read, and what they are on average."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import classes, demo_inputs, demo_network, generators, normal, relative_error

from srd.baselines.integrated_gradients import estimate, integrated_gradients
from srd.baselines.smooth_grad import smooth_grad
from srd.entries import AttributorEntry
from srd.registry import ATTRIBUTORS

N = 2
SAMPLED = [entry for entry in ATTRIBUTORS.values() if entry.estimate]


def squares() -> nn.Module:
    """A network whose logits are sums of fourth powers of the inputs, so that gradients differ along the path."""

    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.pow(4).sum((1, 2, 3)), x.pow(3).sum((1, 2, 3))], 1)

    return Squares().eval()


def test_those_that_a_search_by_estimates_finds_as_much_through_have_one() -> None:
    """Few samples of Expected Gradients, each of another background, lead a search astray (docs/benchmarks.md)."""
    assert {entry.name for entry in SAMPLED} == {"integrated_gradients", "smooth_grad"}


@pytest.mark.parametrize("points", [4, 5])
def test_each_draw_is_one_of_the_sums_over_one_of_two_neighbours_each(points: int) -> None:
    network, inputs, target = squares(), normal(1, 1, 2, 2), classes(1)
    way, pairs = inputs[0], [range(first, min(first + 2, points)) for first in range(0, points, 2)]

    def at(k: int) -> Tensor:
        place = way * (1 - (k + 0.5) / points)
        return 4 * place**3 if int(target[0]) == 0 else 3 * place**2

    possible = torch.stack(
        [
            sum((len(pair) / points * at(k) for pair, k in zip(pairs, chosen, strict=True)), torch.zeros(1)) * way
            for chosen in product(*pairs)
        ]
    ).sum(1)
    found = torch.stack(
        [estimate(network, inputs, target, [torch.Generator().manual_seed(n)], points=points)[0] for n in range(60)]
    )
    which = torch.stack([(possible - each).abs().amax((1, 2)) for each in found]).argmin(1)
    torch.testing.assert_close(found, possible[which], atol=1e-5, rtol=1e-4)
    assert which.unique().tolist() == list(range(len(possible)))
    whole = integrated_gradients(network, inputs, target, points=points)[0]
    torch.testing.assert_close(possible.mean(0), whole, atol=1e-5, rtol=1e-4)


def test_a_row_draws_from_its_own_stream_alone() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(3)
    for entry in SAMPLED:
        make = entry.load_estimate()
        together = make(network, inputs, target, generators(3))
        alone = make(network, inputs[1:2], target[1:2], generators(3)[1:2])
        assert relative_error(alone, together[1:2]) < 1e-4, entry.name


@pytest.mark.parametrize("entry", SAMPLED, ids=lambda entry: entry.name)
def test_it_takes_half_of_the_gradients(entry: AttributorEntry) -> None:
    network = demo_network("resnet")
    rows: list[int] = []
    hook = network.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    try:
        for make, n in ((entry.load(), 16), (entry.load_estimate(), 8)):
            rows.clear()
            make(network, *demo_inputs(N), generators(N))
            assert sum(rows) == n * N
    finally:
        hook.remove()


def test_that_of_smooth_grad_has_its_options() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(N)
    options: dict[str, Any] = {"noise": 0.05, "batch": 3}
    found = ATTRIBUTORS["smooth_grad"].load_estimate()(network, inputs, target, generators(N), samples=5, **options)
    assert torch.equal(found, smooth_grad(network, inputs, target, generators(N), samples=3, **options))


def test_that_of_integrated_gradients_needs_streams() -> None:
    with pytest.raises(ValueError, match="one generator per row"):
        estimate(demo_network("resnet"), *demo_inputs(N))
