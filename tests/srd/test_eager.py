"""A network that saves memory or time by running otherwise has the maps of the same network that runs plainly."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
import torch
from replaying import CHECKPOINTED, Replay, Replaying
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils import checkpoint
from torchvision.models import DenseNet
from toys import classes, generators, normal, shaken, small

from srd.decomposition import decompose
from srd.eager import eager_passes
from srd.errors import UnsupportedOperation
from srd.registry import ATTRIBUTORS

X, TARGET = normal(2, 3, 6, 9), classes(2)
OF_ANY = [name for name, entry in ATTRIBUTORS.items() if entry.networks == "any"]


@pytest.mark.parametrize("replay", CHECKPOINTED.values(), ids=CHECKPOINTED)
@pytest.mark.parametrize("name", OF_ANY)
def test_a_checkpointed_network_has_the_maps_of_the_plain_one(name: str, replay: Replay) -> None:
    options = {"masks": 10} if name == "rise" else {}
    maps, expected = (
        ATTRIBUTORS[name](network, X, TARGET, generators(2), **options) for network in (Replaying(replay), small())
    )
    assert torch.equal(maps, expected)


@pytest.mark.parametrize("replay", CHECKPOINTED.values(), ids=CHECKPOINTED)
def test_so_have_their_gradients(replay: Replay) -> None:
    gradients: list[Tensor] = []
    for network in (Replaying(replay), small()):
        x = X.clone().requires_grad_()
        maps = decompose(network, x, TARGET, create_graph=True)
        gradients += torch.autograd.grad(maps.square().sum(), x)
    assert torch.equal(*gradients)


@pytest.mark.parametrize("name", ["srd", "deep_lift", "guided_backprop", "lrp_z_plus"])
def test_a_densenet_that_saves_memory_has_the_maps_of_one_that_does_not(name: str) -> None:
    maps = []
    for saves in (True, False):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = shaken(DenseNet(4, (2, 1, 1, 1), 8, num_classes=4, memory_efficient=saves)).double()
        maps.append(ATTRIBUTORS[name](network, normal(1, 3, 32, 32), 1))
    assert torch.equal(*maps)


@pytest.mark.parametrize("name", ["srd", "deep_lift", "guided_backprop", "saliency"])
@pytest.mark.parametrize("part", ["", "stem", "branch"])
def test_a_compiled_part_has_the_maps_of_the_plain_one(name: str, part: str) -> None:
    network: Any = small()
    if part:
        setattr(network, part, torch.compile(getattr(network, part), backend="eager"))
    else:
        network = torch.compile(network, backend="eager")
    assert torch.equal(ATTRIBUTORS[name](network, X, TARGET), ATTRIBUTORS[name](small(), X, TARGET))


# Other recomputation cannot be switched off.


def hooked(function: Callable[..., Tensor], x: Tensor) -> Tensor:
    with saved_tensors_hooks(lambda tensor: tensor.clone(), lambda tensor: tensor):
        return function(x)


class Replayed(torch.autograd.Function):
    """Runs a function again in the backward pass, as libraries for long networks do."""

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(x)
        return function(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(ctx.function(at), at, gradients[0])
        return None, gradient


def with_gradients(function: Callable[..., Tensor], x: Tensor) -> Tensor:
    def detached(x: Tensor) -> Tensor:
        with torch.enable_grad():
            return function(x.detach().requires_grad_())

    result: Tensor = Replayed.apply(detached, x)
    return result


RECOMPUTED: dict[str, tuple[Replay, str]] = {
    "hooks": (hooked, "switch its checkpointing off"),
    "custom function": (Replayed.apply, "where gradients are off"),
    "custom function with gradients": (with_gradients, "requires_grad_ writes in place"),
}


@pytest.mark.parametrize("kind", RECOMPUTED)
@pytest.mark.parametrize("name", ["srd", "lrp_z_plus", "lrp_epsilon_plus", "deep_lift", "guided_backprop"])
def test_other_recomputation_is_refused(name: str, kind: str) -> None:
    replay, named = RECOMPUTED[kind]
    with pytest.raises(UnsupportedOperation, match=named):
        ATTRIBUTORS[name](Replaying(replay), X, TARGET)


# What is switched off comes back.


def test_checkpoints_come_back_when_the_last_pass_ends() -> None:
    original = checkpoint._checkpoint_impl
    with eager_passes():
        with eager_passes():
            assert checkpoint._checkpoint_impl is not original
        assert checkpoint._checkpoint_impl is not original
    assert checkpoint._checkpoint_impl is original
    with pytest.raises(KeyError), eager_passes():
        raise KeyError
    assert checkpoint._checkpoint_impl is original


def test_passes_of_two_threads_may_overlap() -> None:
    original, together, seen = checkpoint._checkpoint_impl, Barrier(2, timeout=20), []

    def first() -> None:
        with eager_passes():
            together.wait()
        together.wait()

    thread = Thread(target=first)
    thread.start()
    with eager_passes():
        together.wait()
        together.wait()
        seen.append(checkpoint._checkpoint_impl)
    thread.join()
    assert seen[0] is not original
    assert checkpoint._checkpoint_impl is original
