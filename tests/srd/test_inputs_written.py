"""A network that writes into its inputs has the maps of one that does not, or is refused; the caller's stay."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, generators, left_as_found, normal, relative_error, small, tiny_transformer

from srd.entries import AttributorEntry
from srd.errors import UnsupportedOperation
from srd.registry import ATTRIBUTORS

Normalise = Callable[[Tensor], Tensor]
STD = torch.tensor([0.2, 1.0, 4.0], dtype=torch.float64)[:, None, None]
OPTIONS: dict[str, dict[str, Any]] = {
    "rise": {"masks": 10},
    "expected_gradients": {"background": normal(3, 3, 8, 8, seed=2)},
}
every_attributor = pytest.mark.parametrize("entry", ATTRIBUTORS.values(), ids=ATTRIBUTORS)


class Normalising(nn.Module):
    def __init__(self, normalise: Normalise, network: nn.Module) -> None:
        super().__init__()
        self.normalise, self.network = normalise, network

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(self.normalise(inputs))
        return logits


def maps_of(entry: AttributorEntry, normalise: Normalise, x: Tensor, *, create_graph: bool = False) -> Tensor:
    network = tiny_transformer() if entry.networks == "transformers" else small()
    options = {**OPTIONS.get(entry.name, {}), "create_graph": create_graph}
    maps: Tensor = entry(Normalising(normalise, network).eval(), x, classes(2), generators(2), **options)
    return maps


def by_methods(x: Tensor) -> Tensor:
    return x.sub_(0.5).div_(STD)


def by_operators(x: Tensor) -> Tensor:
    x -= 0.5
    x /= STD
    return x


def by_functions(x: Tensor) -> Tensor:
    functional.relu(x, inplace=True)
    return x


IN_PLACE: dict[str, tuple[Normalise, Normalise]] = {
    "methods": (by_methods, lambda x: (x - 0.5) / STD),
    "operators": (by_operators, lambda x: (x - 0.5) / STD),
    "relu": (by_functions, functional.relu),
    "module": (nn.Hardtanh(inplace=True), functional.hardtanh),
}


@every_attributor
@pytest.mark.parametrize("kind", IN_PLACE)
def test_what_writes_into_its_inputs_has_the_maps_of_what_does_not(entry: AttributorEntry, kind: str) -> None:
    in_place, meant = IN_PLACE[kind]
    x = normal(2, 3, 8, 8)
    with left_as_found(nn.Identity(), x):
        maps = maps_of(entry, in_place, x)
    assert relative_error(maps, maps_of(entry, meant, x)) <= 1e-12


@every_attributor
@pytest.mark.parametrize("kind", IN_PLACE)
def test_the_callers_own_inputs_stay_where_the_map_has_a_graph_to_them(entry: AttributorEntry, kind: str) -> None:
    x = normal(2, 3, 8, 8).requires_grad_()
    with left_as_found(nn.Identity(), x):
        maps = maps_of(entry, IN_PLACE[kind][0], x, create_graph=True)
    assert relative_error(maps.detach(), maps_of(entry, IN_PLACE[kind][1], x.detach())) <= 1e-12


def a_channel(x: Tensor) -> Tensor:
    x[:, 0] = x[:, 0] / 2
    return x


def a_view(x: Tensor) -> Tensor:
    x[:, 1:].mul_(2)
    return x


def out_argument(x: Tensor) -> Tensor:
    return torch.sub(x, 0.5, out=x)


def without_gradients(x: Tensor) -> Tensor:
    with torch.no_grad():
        x.sub_(0.5).div_(STD)
    return x


def data(x: Tensor) -> Tensor:
    x.data.div_(STD)
    return x


def numpy(x: Tensor) -> Tensor:
    x.detach().numpy()[:] /= STD.numpy()
    return x


MEANT: dict[str, tuple[Normalise, Normalise]] = {
    "a channel": (a_channel, lambda x: torch.cat([x[:, :1] / 2, x[:, 1:]], 1)),
    "a view": (a_view, lambda x: torch.cat([x[:, :1], x[:, 1:] * 2], 1)),
    "out argument": (out_argument, lambda x: x - 0.5),
    "no_grad": (without_gradients, lambda x: (x - 0.5) / STD),
    "data": (data, lambda x: x / STD),
    "numpy": (numpy, lambda x: x / STD),
}


@every_attributor
@pytest.mark.parametrize("kind", MEANT)
def test_what_else_writes_into_them_is_refused_or_right(entry: AttributorEntry, kind: str) -> None:
    written, meant = MEANT[kind]
    x = normal(2, 3, 8, 8)
    with left_as_found(nn.Identity(), x):
        try:
            maps = maps_of(entry, written, x)
        except UnsupportedOperation:
            return
    assert relative_error(maps, maps_of(entry, meant, x)) <= 1e-12


GRADIENTS = ("saliency", "input_x_gradient", "integrated_gradients", "smooth_grad", "expected_gradients")


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_follow_what_autograd_follows_and_nothing_else(name: str) -> None:
    x = normal(2, 3, 8, 8)
    for kind in ("a channel", "a view"):
        written, meant = MEANT[kind]
        assert relative_error(maps_of(ATTRIBUTORS[name], written, x), maps_of(ATTRIBUTORS[name], meant, x)) <= 1e-12
    for kind in ("no_grad", "data", "numpy"):
        with pytest.raises(UnsupportedOperation, match="writes into its inputs where no gradient can follow"):
            maps_of(ATTRIBUTORS[name], MEANT[kind][0], x)
    with pytest.raises(UnsupportedOperation, match="an out argument"):
        maps_of(ATTRIBUTORS[name], out_argument, x)


@pytest.mark.parametrize("name", ["srd", "guided_backprop", "deep_lift", "lrp_z_plus", "grad_cam"])
def test_an_out_argument_is_refused_by_name_where_operations_are_seen(name: str) -> None:
    with pytest.raises(UnsupportedOperation, match=r"torch.sub with an out argument; let it return its result"):
        maps_of(ATTRIBUTORS[name], out_argument, normal(2, 3, 8, 8))
