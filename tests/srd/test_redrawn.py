"""Copies with re-drawn weights: which layers, by which draws, and what stays; on networks of several kinds."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from fractions import Fraction
from math import ceil
from threading import Lock

import pytest
import torch
from played_device import played_device
from torch import Tensor, nn
from torch.nn import functional
from toys import demo_network, demo_transformer, generator, left_as_found, normal, shaken, small

from srd.decomposition import decompose
from srd.errors import UnsupportedOperation
from srd.redrawn import layers_in_order, redraw_network
from srd.types import Inputs


class Functional(nn.Module):
    """ReLU and a linear layer as functions; an exit that only training uses; modules in another order than they run."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 4)
        self.unused = nn.Linear(6, 4)
        self.second = nn.Conv2d(5, 6, 3)
        self.first = nn.Conv2d(3, 5, 3)
        self.scale = nn.Parameter(torch.ones(1, 6, 1, 1))

    def forward(self, inputs: Inputs) -> Tensor:
        x = inputs.to(self.last.weight.dtype)
        x = functional.relu(self.second(functional.relu(self.first(x)))) * self.scale
        logits = functional.linear(x.mean((2, 3)), self.last.weight, self.last.bias)
        return logits + self.unused(x.mean((2, 3))) if self.training else logits


class Tied(nn.Module):
    """One module called twice, and two modules with one weight but biases of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(27, 8)
        self.block = nn.Linear(8, 8)
        self.again = self.block
        self.tied = nn.Linear(8, 8)
        self.tied.weight = self.block.weight
        self.head = nn.Linear(8, 4)

    def forward(self, inputs: Inputs) -> Tensor:
        x = self.block(self.stem(inputs.flatten(1))).relu()
        logits: Tensor = self.head(self.tied(self.again(x)).relu())
        return logits


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(make())


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int]]] = {
    "small": (lambda: small().float(), (6, 9)),
    "residual": (lambda: deepcopy(demo_network("resnet")), (48, 48)),
    "vgg": (lambda: deepcopy(demo_network("vgg")), (48, 48)),
    "transformer": (lambda: deepcopy(demo_transformer(0)), (48, 48)),
    "functional": (lambda: seeded(Functional), (6, 7)),
    "tied": (lambda: seeded(Tied), (3, 3)),
}
every_network = pytest.mark.parametrize("kind", NETWORKS)
DEPTHS = (0.25, 0.5, 0.75, 1.0)


def built(kind: str) -> tuple[nn.Module, Inputs]:
    make, size = NETWORKS[kind]
    return make(), normal(1, 3, *size, dtype=torch.float32)


def stream(draw: int = 0) -> Callable[[str], torch.Generator]:
    """A stream for each layer, by its name."""
    return lambda layer: generator(sum((place + 1) * ord(letter) for place, letter in enumerate(f"{draw} {layer}")))


def redrawn(kind: str, share: float = 1.0, draw: int = 0) -> tuple[nn.Module, nn.Module]:
    network, x = built(kind)
    return network, redraw_network(network, x, share, stream(draw))


def pairs(network: nn.Module, copy: nn.Module) -> Iterator[tuple[str, Tensor, Tensor]]:
    others = dict(copy.named_parameters())
    return ((name, parameter.detach(), others[name].detach()) for name, parameter in network.named_parameters())


def layer_of(parameter: str) -> str:
    return parameter.rpartition(".")[0]


@every_network
def test_the_network_is_left_as_it_was_and_the_copy_shares_nothing_with_it(kind: str) -> None:
    network, x = built(kind)
    network.train()
    next(iter(network.children())).eval()
    handle = network.register_forward_hook(lambda *_: None)
    with left_as_found(network, x):
        copy = redraw_network(network, x, 1.0, stream())
    handle.remove()
    modes = [module.training for module in network.modules()]
    assert [module.training for module in copy.modules()] == modes
    assert [p.requires_grad for p in copy.parameters()] == [p.requires_grad for p in network.parameters()]
    storages = {tensor.data_ptr() for tensor in network.state_dict().values()}
    assert storages.isdisjoint(tensor.data_ptr() for tensor in copy.state_dict().values() if tensor.numel())


@every_network
def test_weights_are_normal_of_the_mean_and_deviation_of_those_they_replace(kind: str) -> None:
    network, copy = redrawn(kind)
    seen = 0
    for name, old, new in pairs(network, copy):
        if old.dim() < 2 or old.numel() < 500 or float(old.std()) == 0:
            continue
        seen += 1
        size, mean, std = old.numel(), float(old.double().mean()), float(old.double().std(correction=0))
        z = (new.double() - mean) / std
        assert abs(float(z.mean())) < 5 / size**0.5, name
        assert abs(float(z.square().mean()) - 1) < 5 * (2 / size) ** 0.5, name
        assert abs(float(z.pow(4).mean()) - 3) < 5 * (96 / size) ** 0.5, f"{name}: the tails of a normal distribution"
        assert abs(float(torch.corrcoef(torch.stack([old.flatten(), new.flatten()]))[0, 1])) < 5 / size**0.5, name
    assert seen or kind in {"small", "functional", "tied"}


@every_network
def test_biases_and_the_parameters_of_norms_are_permuted(kind: str) -> None:
    network, copy = redrawn(kind)
    norms = (nn.BatchNorm2d, nn.LayerNorm)
    moved = False
    for name, old, new in pairs(network, copy):
        if old.dim() == 1 or isinstance(network.get_submodule(layer_of(name)), norms):
            assert torch.equal(new.flatten().sort().values, old.flatten().sort().values), name
            moved |= not torch.equal(new, old)
    assert moved


@every_network
def test_buffers_stay(kind: str) -> None:
    network, copy = redrawn(kind)
    others = dict(copy.named_buffers())
    assert all(torch.equal(buffer, others[name]) for name, buffer in network.named_buffers())


def test_permuted_norms_of_images_keep_their_values_and_other_tensors_do_not() -> None:
    network = nn.Sequential(nn.LayerNorm((3, 4, 5)), nn.Flatten(), nn.Linear(60, 4))
    with torch.no_grad():
        network.get_parameter("0.weight").copy_(normal(3, 4, 5))
    copy = redraw_network(network, normal(1, 3, 4, 5, dtype=torch.float32), 1, stream())
    old, new = (net.get_parameter("0.weight").flatten().sort().values for net in (network, copy))
    assert torch.equal(old, new)
    assert not torch.equal(network.get_parameter("0.weight"), copy.get_parameter("0.weight"))


@every_network
def test_equal_streams_give_equal_copies_and_another_draw_another_copy(kind: str) -> None:
    (network, first), (_, again), (_, other) = (redrawn(kind, draw=draw) for draw in (0, 0, 1))
    assert all(torch.equal(*pair) for pair in zip(first.parameters(), again.parameters(), strict=True))
    for name, one, two in pairs(first, other):
        if one.dim() > 1 and float(network.get_parameter(name).detach().std()) > 0:
            assert not torch.equal(one, two), name


@every_network
def test_layers_of_one_shape_get_different_weights(kind: str) -> None:
    network, copy = redrawn(kind)
    weights = [new for _, old, new in pairs(network, copy) if old.dim() > 1 and old.numel() > 8 and float(old.std())]
    standard = [((weight - weight.mean()) / weight.std()).flatten() for weight in weights]
    shapes = [tuple(weight.shape) for weight in weights]
    equal = [(i, j) for i in range(len(shapes)) for j in range(i) if shapes[i] == shapes[j]]
    assert equal or kind in {"small", "functional", "tied", "vgg"}
    assert not any(torch.allclose(standard[i], standard[j], atol=1e-3) for i, j in equal)


@every_network
def test_depths_count_layers_from_the_input_and_add_up(kind: str) -> None:
    network, x = built(kind)
    layers = layers_in_order(network, x)
    assert set(layers) == {layer_of(name) for name, _ in network.named_parameters()}
    deepest = redraw_network(network, x, 1.0, stream())
    for share in DEPTHS:
        copy = redraw_network(network, x, share, stream())
        drawn = set(layers[: ceil(Fraction(share) * len(layers))])
        for name, old, new in pairs(network, copy):
            expected = deepest.get_parameter(name) if layer_of(name) in drawn else old
            assert torch.equal(new, expected), f"{name} at {share}"


def test_weights_are_the_same_on_every_device() -> None:
    """Played: no run on a GPU."""
    network, x = built("small")
    expected = redraw_network(network, x, 1.0, stream())
    with played_device() as device:
        copy = redraw_network(deepcopy(network).to(device), x.to(device), 1.0, stream())
        assert all(parameter.device == device for parameter in copy.parameters())
        assert all(
            torch.equal(one.cpu(), other) for one, other in zip(copy.parameters(), expected.parameters(), strict=True)
        )


def test_nothing_is_drawn_at_depth_0() -> None:
    network, copy = redrawn("residual", 0.0)
    assert all(torch.equal(old, new) for _, old, new in pairs(network, copy))


def test_the_order_is_that_of_first_use_and_not_that_of_the_modules() -> None:
    network, x = built("functional")
    assert layers_in_order(network, x) == ("first", "second", "", "last", "unused")
    network, x = built("small")
    assert layers_in_order(network, x) == ("stem.0", "stem.1", "branch.0", "branch.1", "head")


def test_the_order_of_a_transformer_runs_through_its_blocks() -> None:
    network, x = built("transformer")
    layers = layers_in_order(network, x)
    assert layers[:3] == ("conv_proj", "", "encoder"), "the class token is the network's, positions are the encoder's"
    assert layers[-2:] == ("encoder.ln", "heads.head")
    blocks = [int(name.split("_layer_")[1][0]) for name in layers if "_layer_" in name]
    assert blocks == sorted(blocks)
    first = [name.rpartition("_layer_0.")[2] for name in layers if "_layer_0." in name]
    assert first == ["ln_1", "self_attention", "self_attention.out_proj", "ln_2", "mlp.0", "mlp.3"]


def test_attention_is_redrawn_although_no_module_of_it_is_called() -> None:
    network, copy = redrawn("transformer", 0.5)
    attention = "encoder.layers.encoder_layer_0.self_attention"
    for name in (f"{attention}.in_proj_weight", f"{attention}.out_proj.weight"):
        assert not torch.equal(network.get_parameter(name), copy.get_parameter(name))


@pytest.mark.parametrize("fused", [True, False])
def test_an_encoder_layer_that_torch_fuses_is_ordered_too(fused: bool) -> None:
    layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=fused).eval().requires_grad_(False)
    network = nn.Sequential(nn.Linear(6, 6), layer, nn.Linear(6, 4))
    layers = layers_in_order(network, normal(1, 5, 6, dtype=torch.float32))
    assert layers[0] == "0"
    assert layers[-1] == "2"
    assert len(layers) == 8


def test_tied_weights_are_drawn_once_and_stay_tied() -> None:
    network, copy = redrawn("tied")
    assert copy.get_submodule("again") is copy.get_submodule("block")
    assert copy.get_parameter("tied.weight") is copy.get_parameter("block.weight")
    assert not torch.equal(copy.get_parameter("block.weight"), network.get_parameter("block.weight"))
    assert layers_in_order(*built("tied")) == ("stem", "block", "tied", "head")
    expected = stream()("block")
    old = network.get_parameter("block.weight").detach()
    noise = torch.randn(8, 8, generator=expected)
    torch.testing.assert_close(copy.get_parameter("block.weight").detach(), old.mean() + old.std(correction=0) * noise)


def test_reparametrised_weights_are_redrawn() -> None:
    network = nn.Sequential(nn.Flatten(), torch.nn.utils.parametrizations.weight_norm(nn.Linear(12, 4)))
    x = normal(2, 3, 2, 2, dtype=torch.float32)
    copy = redraw_network(network, x, 1, stream())
    assert not torch.allclose(network(x), copy(x))


@pytest.mark.parametrize("kind", ["residual", "vgg"])
def test_a_method_explains_the_copy_and_says_something_else(kind: str) -> None:
    network, x = built(kind)
    copy = redraw_network(network, x, 1.0, stream())
    before = decompose(network, x, 1)
    assert not torch.allclose(decompose(copy, x, 1), before)
    assert torch.equal(decompose(network, x, 1), before), "nothing of the copy is cached for the network"


def test_half_precision_and_whole_numbers_keep_their_type() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).to(torch.bfloat16)
    network.register_parameter("counts", nn.Parameter(torch.arange(3), requires_grad=False))
    copy = redraw_network(network, normal(1, 3, 2, 2).to(torch.bfloat16), 1, stream())
    assert copy.get_parameter("1.weight").dtype == torch.bfloat16
    assert copy.get_parameter("counts").tolist() == [0, 1, 2]


def test_a_network_that_cannot_be_copied_is_refused_with_the_way_out() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    network.lock = Lock()  # type: ignore[assignment]
    with pytest.raises(UnsupportedOperation, match=r"a copy of the network .*; let copy.deepcopy copy it"):
        redraw_network(network, torch.ones(1, 3, 2, 2), 1, stream())


def test_results_that_a_network_keeps_of_its_passes_do_not_prevent_a_copy() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    network.register_forward_hook(lambda module, _, logits: setattr(module, "kept", logits))
    network(torch.ones(1, 3, 2, 2))
    redraw_network(network, torch.ones(1, 3, 2, 2), 1, stream())
