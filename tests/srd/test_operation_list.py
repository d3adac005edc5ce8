"""The list of operations: every one with the rule that SRD has for it, and a refusal told in SRD's own words."""

from collections import Counter

import pytest
import torch
from torch import Tensor, nn

import srd
from srd.errors import ModelError, UnsupportedOperation
from srd.operation_list import ACTIVATION, AFFINE, LINEAR, NONE, WEIGHT, list_operations

TARGET = torch.tensor([0])


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.gate, self.head = nn.Conv2d(4, 4, 1), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x)
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


class Sorting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(torch.cumsum(self.first(x), 1)).relu()
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


def rules(network: nn.Module) -> Counter[tuple[str, str]]:
    found = list_operations(network.eval(), torch.rand(1, 3, 12, 12), TARGET)
    return Counter((each.name.rpartition(".")[2], each.rule) for each in found.seen)


def test_each_operation_has_its_rule() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip
    assert rules(network) == {
        ("conv2d", AFFINE): 2,
        ("batch_norm", AFFINE): 1,
        ("relu", ACTIVATION): 2,
        ("adaptive_avg_pool2d", LINEAR): 1,
        ("flatten", LINEAR): 1,
        ("linear", AFFINE): 1,
    }


def test_the_weights_of_a_gate_are_held_constant() -> None:
    assert rules(Gated())["sigmoid", WEIGHT] == 1


def test_the_encoder_ends_where_the_head_begins() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )  # fmt: skip
    found = list_operations(network, torch.rand(1, 3, 12, 12), TARGET)
    assert [each.in_encoder for each in found.seen] == [True, True, False, False, False]
    assert (found.encoder_shape, found.refusal) == ((1, 4, 10, 10), "")


def test_what_srd_refuses_is_told_in_its_words() -> None:
    network, inputs = Sorting().eval(), torch.rand(1, 3, 12, 12)
    with pytest.raises(UnsupportedOperation) as refused:
        srd.decompose(network, inputs, TARGET)
    found = list_operations(network, inputs, TARGET)
    assert found.refusal == str(refused.value)
    assert [each.name for each in found.seen if each.rule == NONE] == ["torch.cumsum"]


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(ModelError, match="no module of this name"):
        list_operations(Sorting(), torch.rand(1, 3, 12, 12), TARGET, encoder="none")


def test_the_network_is_left_as_it_was() -> None:
    network = Gated().train()
    list_operations(network, torch.rand(1, 3, 12, 12), TARGET)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
