"""A method with its own rule for activations refuses an activation that it cannot see, wherever it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.dlpack import from_dlpack
from toys import Swish, classes, normal, relative_error, shaken, tiny_transformer

from srd.errors import UnsupportedOperation
from srd.registry import ATTRIBUTORS

Activation = Callable[[Tensor], Tensor]
X, TARGET = normal(2, 3, 8, 7), classes(2)
ZERO = torch.zeros((), dtype=torch.float64)


def below_zero_written(x: Tensor) -> Tensor:
    x[x < 0] = 0
    return x


def in_place(x: Tensor, write: Activation) -> Tensor:
    """Write into a copy."""
    return write(x + 0)


own_activations = pytest.mark.parametrize("method", ["guided_backprop", "deep_lift", "full_grad", "lrp_z_plus", "srd"])


class Acting(nn.Module):
    """Two convolutions with an activation, the second one gated by a small branch with an activation of its own."""

    def __init__(self, activation: Activation, in_the_gate: Activation = functional.relu) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
        self.squeeze, self.excite, self.head = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 4)
        self.activation, self.in_the_gate = activation, in_the_gate

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.second(self.activation(self.first(inputs)))
        gate = self.excite(self.in_the_gate(self.squeeze(features.mean((2, 3))))).sigmoid()
        logits: Tensor = self.head(self.activation(features * gate[:, :, None, None]).mean((2, 3)))
        return logits


def acting(activation: Activation, in_the_gate: Activation = functional.relu) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(Acting(activation, in_the_gate)).double()


HIDDEN: dict[str, tuple[Activation, str]] = {
    "mask of other features": (lambda x: torch.where(x.flip(-1) > 0, x, 0.0), "torch.where"),
    "numbers of each position": (lambda x: torch.maximum(x, torch.arange(x.shape[-1]) / 10), "maximum"),
    "custom function": (Swish.apply, "sigmoid where gradients are off"),
    "absolute value": (lambda x: (x + x.abs()) / 2, "abs"),
    "largest of two": (lambda x: torch.max(x, x.flip(-1)), "max"),
    "own formula": (lambda x: torch.log(1 + torch.exp(x)), "log"),
    "stacked with zero": (lambda x: torch.stack([x, torch.zeros_like(x)]).amax(0), "amax"),
    "stacked last": (lambda x: -torch.stack([-x, torch.zeros_like(x)], -1).amin(-1), "amin"),
    "softplus of a stack": (lambda x: torch.stack([x, torch.zeros_like(x)], 1).logsumexp(1), "logsumexp"),
    "largest of two maps": (lambda x: torch.stack([x, x.flip(1)], 2).amax(2), "amax"),
    "norm of each number": (lambda x: (x + x[..., None].norm(dim=-1)) / 2, "norm"),
    "norm over a batch of one": (lambda x: (x + torch.norm(x[None], dim=0)) / 2, "norm"),
    "pooled one by one": (lambda x: (x + functional.lp_pool2d(x, 2, 1)) / 2, "lp_pool2d"),
    "mask by NumPy": (lambda x: x * torch.from_numpy(x.detach().numpy() > 0), "numpy gave features to code"),
    "mask by an array": (lambda x: x * torch.asarray(np.asarray(x.detach()) > 0), "__array__ gave features to code"),
    "mask by a list": (lambda x: x.masked_fill(torch.tensor((x < 0).tolist()), 0), "tolist gave features to code"),
    "mask by a new tensor": (lambda x: x * x.new_tensor((x > 0).tolist()), "new_tensor"),
    "mask by DLPack": (lambda x: x * (from_dlpack(x.detach()) > 0), "__dlpack__ gave features to code"),
    "moved axes": (lambda x: functional.relu(x.flatten(1)).view_as(x), "moved"),
}
POOLED: dict[str, Activation] = {
    "stacked last": lambda x: pool_pairs(torch.stack([x, torch.zeros_like(x)], -1)),
    "zeros first": lambda x: pool_pairs(torch.stack([0 * x, x], -1)),
    "stacked rows": lambda x: functional.max_pool2d(torch.stack([x, 0 * x], 3).flatten(2, 3), (2, 1)),
    "to a size": lambda x: functional.adaptive_max_pool2d(
        torch.stack([x, 0 * x], -1).flatten(2, 3), (x[0, 0].numel(), 1)
    ).view_as(x),
    "with places": lambda x: functional.max_pool2d_with_indices(torch.stack([x, 0 * x], -1).flatten(2, 3), (1, 2))[
        0
    ].view_as(x),
}
"""ReLUs that are max pooling of numbers beside zeros."""


def pool_pairs(pairs: Tensor) -> Tensor:
    return functional.max_pool2d(pairs.flatten(2, 3), (1, 2)).reshape(pairs.shape[:-1])


OF_POSITIONS = {"moved axes", "pooled one by one", "numbers of each position"}


@own_activations
@pytest.mark.parametrize("kind", HIDDEN)
def test_a_hidden_activation_is_refused_by_name(method: str, kind: str) -> None:
    activation, named = HIDDEN[kind]
    with pytest.raises(UnsupportedOperation, match=named):
        ATTRIBUTORS[method](acting(activation), X, TARGET)


@pytest.mark.parametrize("method", ["guided_backprop", "deep_lift", "full_grad"])
@pytest.mark.parametrize("kind", [kind for kind in HIDDEN if kind not in OF_POSITIONS])
def test_so_is_one_in_a_gate_through_which_the_gradient_flows(method: str, kind: str) -> None:
    activation, named = HIDDEN[kind]
    with pytest.raises(UnsupportedOperation, match=named):
        ATTRIBUTORS[method](acting(functional.relu, activation), X, TARGET)


@pytest.mark.parametrize("method", ["guided_backprop", "deep_lift", "full_grad"])
@pytest.mark.parametrize("kind", POOLED)
def test_max_pooling_of_what_was_stacked_may_be_an_activation(method: str, kind: str) -> None:
    with pytest.raises(UnsupportedOperation, match=r"max_pool2d.* over axes that were moved"):
        ATTRIBUTORS[method](acting(POOLED[kind]), X, TARGET)


noted: list[Any] = []


def log(numbers: Any, x: Tensor) -> Tensor:
    """Log numbers of a tensor, and return the tensor."""
    noted.append(numbers)
    return x


LOGS: dict[str, Activation] = {
    "array": lambda x: functional.relu(log(x.detach().numpy(), x)),
    "list": lambda x: functional.relu(log(x.tolist(), x)),
    "number": lambda x: functional.relu(x) * (torch.tensor(1.0) if x.sum().item() < 1e9 else ZERO),
    "constants after it": lambda x: torch.maximum(log(x.detach().numpy(), x), torch.zeros(1, 1, 1, 1)),
}


@own_activations
@pytest.mark.parametrize("kind", LOGS)
def test_numbers_that_are_only_looked_at_hide_nothing(method: str, kind: str) -> None:
    maps, expected = (ATTRIBUTORS[method](acting(each), X, TARGET) for each in (LOGS[kind], functional.relu))
    assert relative_error(maps, expected) <= 1e-12


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:.*torch.jit.*:FutureWarning")
@pytest.mark.parametrize("method", ["guided_backprop", "deep_lift", "lrp_z_plus", "srd", "full_grad", "grad_cam"])
@pytest.mark.parametrize("part", ["all", "first", "head"])
def test_a_traced_network_or_part_is_refused(method: str, part: str) -> None:
    network = acting(functional.relu)
    shapes = {"first": (2, 3, 8, 7), "head": (2, 5)}
    if part == "all":
        network = torch.jit.trace(network, X)
    else:
        setattr(network, part, torch.jit.trace(getattr(network, part), normal(*shapes[part])))
    with pytest.raises(UnsupportedOperation, match=r"cannot be seen.*build the network of torch functions"):
        ATTRIBUTORS[method](network, X, TARGET)


SEEN: dict[str, tuple[Activation, Activation]] = {
    "clamp": (lambda x: x.clamp(min=0), functional.relu),
    "clamp_min": (lambda x: torch.clamp_min(x, 0), functional.relu),
    "clip": (lambda x: torch.clip(x, 0), functional.relu),
    "threshold": (lambda x: functional.threshold(x, 0.0, 0.0), functional.relu),
    "threshold in place": (lambda x: functional.threshold(x, 0.0, 0.0, inplace=True), functional.relu),
    "maximum": (lambda x: torch.maximum(x, ZERO), functional.relu),
    "maximum, zero first": (lambda x: torch.maximum(ZERO, x), functional.relu),
    "minimum": (lambda x: torch.minimum(functional.relu(x), ZERO + 6), lambda x: functional.relu(x).clamp_max(6)),
    "where": (lambda x: torch.where(x > 0, x, 0.0), functional.relu),
    "where, zeros of its size first": (lambda x: torch.where(x < 0, torch.zeros_like(x), x), functional.relu),
    "where, a method": (lambda x: x.where(x > 0, ZERO), functional.relu),
    "two masks": (
        lambda x: torch.where((x > 0) & (x < 1), x, (x >= 1).type_as(x)),
        lambda x: functional.hardtanh(x, 0.0, 1.0),
    ),
    "slope below": (lambda x: torch.where(x > 0, x, 0.1 * x), lambda x: functional.leaky_relu(x, 0.1)),
    "larger of two lines": (lambda x: torch.max(x, 0.1 * x), lambda x: functional.leaky_relu(x, 0.1)),
    "exponential below": (lambda x: torch.where(x > 0, x, torch.exp(x) - 1), functional.elu),
    "mask": (lambda x: x * (x > 0), functional.relu),
    "mask of numbers": (lambda x: (x > 0).to(x.dtype) * x, functional.relu),
    "masked fill": (lambda x: x.masked_fill(x < 0, 0.0), functional.relu),
    "masked fill in place": (lambda x: in_place(x, lambda y: y.masked_fill_(y < 0, 0.0)), functional.relu),
    "mask written": (lambda x: in_place(x, below_zero_written), functional.relu),
    "mask in place": (lambda x: in_place(x, lambda y: y.mul_(y > 0)), functional.relu),
    "max": (lambda x: torch.max(x, torch.zeros_like(x)), functional.relu),
    "zeros of its size": (lambda x: torch.maximum(torch.zeros_like(x), x), functional.relu),
    "own formula": (lambda x: x / (1 + torch.exp(-x)), functional.silu),
    "own product": (lambda x: x * torch.tanh(functional.softplus(x)), functional.mish),
    "bound by formula": (lambda x: x * (functional.relu6(x + 3) / 6), functional.hardswish),
}


@own_activations
@pytest.mark.parametrize("kind", SEEN)
def test_a_relu_by_another_name_is_a_relu(method: str, kind: str) -> None:
    written, meant = SEEN[kind]
    maps, expected = (ATTRIBUTORS[method](acting(activation), X, TARGET) for activation in (written, meant))
    assert relative_error(maps, expected) <= 1e-12


@pytest.mark.parametrize("method", ["guided_backprop", "deep_lift"])
@pytest.mark.parametrize("keeps", [False, True])
def test_a_largest_value_of_all_positions_hides_no_activation(method: str, keeps: bool) -> None:
    class Largest(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.amax((2, 3), keepdim=keeps).flatten(1)

    head = (nn.Flatten(), nn.Linear(4, 5))
    pooled, by_module = (
        shaken(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), pool, *head)).double()
        for pool in (Largest(), nn.AdaptiveMaxPool2d(1))
    )
    by_module.load_state_dict(pooled.state_dict())
    maps, expected = (ATTRIBUTORS["guided_backprop"](network, X, TARGET) for network in (pooled, by_module))
    assert relative_error(maps, expected) <= 1e-12
    assert bool(ATTRIBUTORS[method](pooled, X, TARGET).isfinite().all())


def test_attention_hides_no_activation() -> None:
    for method in ("guided_backprop", "deep_lift"):
        assert bool(ATTRIBUTORS[method](tiny_transformer(), normal(1, 3, 8, 8), 0).isfinite().all())


# What is declared.


def test_a_declared_activation_is_one_to_guided_backprop_and_deep_lift() -> None:
    network, silu = acting(torch.erf), acting(functional.silu)
    declared = {"torch.erf": "activation"}
    for method in ("guided_backprop", "deep_lift"):
        with pytest.raises(UnsupportedOperation, match=r"torch.erf.*'activation'"):
            ATTRIBUTORS[method](network, X, TARGET)
        maps = ATTRIBUTORS[method](network, X, TARGET, operations=declared)
        assert relative_error(maps, ATTRIBUTORS[method](silu, X, TARGET)) > 1e-3
    plain = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(plain).gather(1, TARGET[:, None]).sum(), plain)
    guided = ATTRIBUTORS["guided_backprop"](network, X, TARGET, operations=declared)
    assert relative_error(guided, gradient.sum(1)) > 1e-3
    as_linear = ATTRIBUTORS["guided_backprop"](network, X, TARGET, operations={"torch.erf": "linear"})
    assert not torch.equal(as_linear, guided)


def test_of_an_error_function_deep_lift_is_complete_once_it_is_declared() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), Erf(), nn.Flatten(), nn.Linear(4 * 6 * 5, 4)).double()
    maps = ATTRIBUTORS["deep_lift"](network, X, TARGET, operations={"torch.erf": "activation"})
    difference = (network(X) - network(0 * X)).gather(1, TARGET[:, None])[:, 0]
    torch.testing.assert_close(maps.sum((1, 2)), difference.detach())


class Erf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(x)


@pytest.mark.parametrize(
    "method",
    ["grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam", "score_cam", "ablation_cam"],
)
def test_class_activation_maps_end_the_encoder_where_srd_does(method: str) -> None:
    """A declared activation, under linear operations, ends it."""
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), Erf(), nn.AvgPool2d(2, 1)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = shaken(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))).double()
    found = ATTRIBUTORS[method].native()(network, X, TARGET, operations={"torch.erf": "activation"})
    assert found.shape == (2, 4, 3)
    assert torch.equal(found, ATTRIBUTORS[method].native()(network, X, TARGET, encoder="3"))
    assert ATTRIBUTORS[method].native()(network, X, TARGET).shape == (2, 3, 2)
