"""Between the layers: receptive fields, sharing ratios and relevance, against the forward definition and each other."""

from typing import get_args

import pytest
import torch
from slow_srd import Example, example_networks, receptive_fields
from torch import Tensor, nn
from toys import classes, generator, left_as_found, normal, relative_error, small, tiny_transformer

import srd
from srd.decomposition import account
from srd.errors import ModelError, UnsupportedOperation
from srd.rules import Bias

BIAS_RULES: tuple[Bias, ...] = get_args(Bias)
NETWORKS = example_networks()
X, TARGET = normal(2, 3, 7, 8), classes(2)
EVERYWHERE = torch.cartesian_prod(torch.arange(6), torch.arange(3))  # of small()'s maps above its pooling

every_bias = pytest.mark.parametrize("bias", BIAS_RULES)


def whole(network: Example) -> nn.Sequential:
    return nn.Sequential(network.encoder, network.head)


@pytest.mark.parametrize("name", NETWORKS)
@every_bias
def test_receptive_fields_are_those_built_forward(name: str, bias: Bias) -> None:
    draw = generator(0)
    network = NETWORKS[name](draw)
    image = torch.randn(network.image_shape, generator=draw, dtype=torch.float64)
    expected = torch.from_numpy(receptive_fields(network.encoder, image, bias=bias))
    positions = torch.cartesian_prod(*(torch.arange(size) for size in expected.shape[:2]))
    fields = srd.receptive_field(whole(network), image[None], "0", positions, bias=bias)
    assert relative_error(fields[0], expected.flatten(0, 1)) <= 1e-9


@every_bias
def test_a_field_is_the_sum_of_the_fields_below_by_their_shares(bias: Bias) -> None:
    network = nn.Sequential(*(nn.Sequential(nn.Conv2d(c, 5, 3), nn.ReLU()) for c in (3, 5, 5)), nn.Flatten()).double()
    shares = srd.sharing_ratios(network, X, "0", "2", (0, 1), bias=bias)
    lower = torch.cartesian_prod(torch.arange(5), torch.arange(6))
    below = srd.receptive_field(network, X, "0", lower, bias=bias)
    above = srd.receptive_field(network, X, "2", torch.tensor([[0, 1]]), bias=bias)
    assert shares.shape == (2, 5, 6)
    assert relative_error(torch.einsum("np,nphw->nhw", shares.flatten(1), below), above[:, 0]) <= 1e-9
    if bias != "drop":
        assert relative_error(shares.sum((1, 2)), torch.ones(2).double()) <= 1e-9


@every_bias
def test_relevance_times_receptive_field_is_the_map(bias: Bias) -> None:
    network = small()
    books = account(network, X, TARGET, bias=bias)
    at = srd.relevance(network, X, TARGET, ["relu"], bias=bias)["relu"]
    assert torch.equal(at, books.initial)
    fields = srd.receptive_field(network, X, "relu", EVERYWHERE, bias=bias)
    assert relative_error(torch.einsum("np,nphw->nhw", at.flatten(1), fields), books.maps) <= 1e-9


def test_relevance_of_every_layer_that_all_paths_pass_has_the_same_sum() -> None:
    network = small()
    books = account(network, X, TARGET, contrast="none")
    layers = srd.relevance(network, X, TARGET, ["stem.2", "stem", "relu"], contrast="none")
    assert {name: tuple(layer.shape) for name, layer in layers.items()} == {
        "stem.2": (2, 7, 4),
        "stem": (2, 6, 3),
        "relu": (2, 6, 3),
    }
    for layer in layers.values():
        assert relative_error(layer.sum((1, 2)), books.initial.sum((1, 2))) <= 1e-9


def test_an_image_and_a_position_do_not_depend_on_what_they_are_batched_with() -> None:
    network = small()
    together = srd.receptive_field(network, X, "relu", EVERYWHERE, batch=5)
    for row in range(2):
        for p in (0, 7, 17):
            alone = srd.receptive_field(network, X[row : row + 1], "relu", EVERYWHERE[p : p + 1])
            assert relative_error(together[row, p], alone[0, 0]) <= 1e-12
    own = torch.stack([EVERYWHERE[:3], EVERYWHERE[3:6]])
    fields = srd.receptive_field(network, X, "relu", own)
    assert relative_error(fields, torch.stack([together[0, :3], together[1, 3:6]])) <= 1e-12


def test_tokens_are_positions() -> None:
    network, x = tiny_transformer(), normal(2, 3, 8, 8)
    block = "encoder.layers.encoder_layer_1"
    layers = srd.relevance(network, x, TARGET, ["conv_proj", block], contrast="none")
    books = account(network, x, TARGET, contrast="none")
    assert layers[block].shape == (2, 5)
    assert torch.equal(layers[block], books.initial)
    assert layers["conv_proj"].shape == (2, 2, 2)
    fields = srd.receptive_field(network, x, block, torch.tensor([[0], [3]]))
    assert fields.shape == (2, 2, 8, 8)
    shares = srd.sharing_ratios(network, x, "conv_proj", block, [3])
    assert relative_error(shares.sum((1, 2)), fields[:, 1].sum((1, 2))) <= 1e-9


def test_everything_is_left_as_found() -> None:
    network = small().train()
    with left_as_found(network, X, TARGET):
        srd.relevance(network, X, TARGET, ["stem"])
        srd.receptive_field(network, X, "stem", EVERYWHERE[:1])
        srd.sharing_ratios(network, X, "stem", "relu", (0, 0))


@pytest.mark.parametrize("place", [[6, 0], [0, -1], [0]])
def test_a_position_that_is_not_there_is_refused(place: list[int]) -> None:
    with pytest.raises(ValueError, match=r"layer 'relu' has positions below \(6, 3\)"):
        srd.receptive_field(small(), X, "relu", torch.tensor([place]))
    with pytest.raises(ValueError, match=r"layer 'relu' has positions below \(6, 3\)"):
        srd.sharing_ratios(small(), X, "stem", "relu", place)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("layer9", "no module of this name"), ("head", "no relevance arrives"), ("stem.0", "one with the batch norm")],
)
def test_a_layer_without_relevance_is_refused(layer: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        srd.relevance(small(), X, TARGET, ["relu", layer])


def test_a_field_through_an_operation_without_a_rule_is_refused() -> None:
    class Erf(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.erf(x)

    network = nn.Sequential(nn.Conv2d(3, 4, 3), Erf(), nn.Conv2d(4, 4, 3), nn.ReLU()).double()
    with pytest.raises(UnsupportedOperation, match="erf"):
        srd.receptive_field(network, X, "3", torch.tensor([[0, 0]]))
    fields = srd.receptive_field(network, X, "3", torch.tensor([[0, 0]]), operations={"torch.erf": "activation"})
    assert relative_error(fields.sum((2, 3)), torch.ones(2, 1).double()) <= 1e-9
