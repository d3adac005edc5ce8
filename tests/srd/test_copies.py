"""Copies of networks that keep something of their last pass."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import classes, normal

from srd.copies import copy_of
from srd.registry import ATTRIBUTORS


class Keeping(nn.Module):
    """A network that notes its features."""

    def __init__(self, note: Callable[[nn.Module, Tensor], object]) -> None:
        super().__init__()
        self.conv, self.head, self.note = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), note
        self.kept: Any = None

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.conv(inputs).relu()
        self.note(self, features)
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


def keep(network: nn.Module, kept: object) -> None:
    object.__setattr__(network, "kept", kept)


NOTES: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "an attribute": keep,
    "a list": lambda network, features: keep(network, [features, features.mean()]),
    "a mapping of pairs": lambda network, features: keep(network, {"last": (features, features[:1])}),
    "one twice": lambda network, features: keep(network, [features, features]),
    "a buffer": lambda network, features: network.register_buffer("last", features),
    "of a module within": lambda network, features: keep(network.get_submodule("conv"), features),
}


def passed(note: Callable[[nn.Module, Tensor], object]) -> Keeping:
    """Return a network after a pass with gradients."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Keeping(note).double().eval()
    network(normal(2, 3, 7, 6).requires_grad_())
    return network


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_network_that_keeps_features_is_copied(note: Callable[[nn.Module, Tensor], object]) -> None:
    network, inputs = passed(note), normal(2, 3, 7, 6, seed=1)
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        deepcopy(network)
    copy = copy_of(network)
    maps, expected = (ATTRIBUTORS["saliency"](each, inputs, classes(2)) for each in (copy, network))
    assert torch.equal(maps, expected)
    for one, other in zip(copy.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one is not other
        assert one.requires_grad == other.requires_grad


def test_what_is_kept_twice_is_copied_once_and_without_its_graph() -> None:
    network = passed(NOTES["one twice"])
    one, other = copy_of(network).kept
    assert one is other
    assert one is not network.kept[0]
    assert one.grad_fn is None
    assert torch.equal(one, network.kept[0])
