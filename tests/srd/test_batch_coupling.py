"""A map does not depend on the other rows of its batch, but for what rounding decides: ties in a max pooling.

Of two numbers of a window that are equal but for rounding, the one that is larger by rounding takes all relevance. In
float32 sums are rounded otherwise in a batch of another size, or on another processor: with random weights one such tie
has moved up to 1 % of a map's largest value (SqueezeNet, AVX2).
"""

import pytest
import torch
from batch_coupling import coupling
from families import FAMILIES, images, marked, randomised, shrunken
from max_pool_routes import prescribed, seen
from measured_families import batch_coupling
from torch import Tensor, nn
from toys import classes, normal, small

from srd.decomposition import account, decompose


@pytest.mark.parametrize("name", [marked(each) for each in FAMILIES])
def test_in_float64_a_map_does_not_depend_on_the_batch(name: str) -> None:
    network, x = shrunken(name), images(3, FAMILIES[name].shrunken_size, torch.float64)
    assert coupling(network, x, network(x).argmax(1)).as_it_is <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_in_float32_it_does_only_through_ties_of_max_pooling(name: str) -> None:
    found = batch_coupling(name)
    assert found.ties <= 1e-5
    assert found.same_routes <= 1e-4


def pooled() -> nn.Module:
    """The larger of each two neighbours, and a layer that reads it."""
    network = nn.Sequential(
        nn.MaxPool2d((1, 2)), nn.Conv2d(1, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    return randomised(network).double()


def map_of(pixels: list[list[float]]) -> Tensor:
    return decompose(pooled(), torch.tensor([[pixels]], dtype=torch.float64), classes(1), contrast="none")[0]


def test_all_relevance_of_a_window_goes_to_the_larger_by_however_little() -> None:
    """So the map jumps there by definition, in every precision."""
    first, second = map_of([[1.0, 1 - 1e-15], [2.0, 0.5]]), map_of([[1.0, 1 + 1e-15], [2.0, 0.5]])
    assert float(first[0, 0]) != 0
    torch.testing.assert_close(first[0].flip(0), second[0])
    torch.testing.assert_close(first[1], second[1])


def test_a_map_follows_the_routes_that_are_prescribed() -> None:
    network, x, target = small(), normal(2, 3, 6, 9), classes(1)
    with seen() as routes:
        expected = account(network, x[:1], target).maps
    with seen() as others:
        account(network, x[1:], target)
    with prescribed(routes):
        assert torch.equal(account(network, x[:1], target).maps, expected)
    with prescribed(others):
        assert not torch.equal(account(network, x[:1], target).maps, expected)
