"""A copy of a network whose weights are drawn again, from the first layers on."""

from collections.abc import Callable, Sequence
from itertools import count
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from srd.copies import copy_of
from srd.errors import UnsupportedOperation
from srd.passes import evaluating
from srd.types import Inputs

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)  # no public name covers batch norms


def redraw_network(
    network: nn.Module, inputs: Inputs, share: float, generator_of: Callable[[str], torch.Generator]
) -> nn.Module:
    """Return a copy in which the first `share` of the layers are drawn again, those at the input first.

    A weight becomes normal noise of the mean and standard deviation of the tensor that it replaces. Vectors (biases)
    and the parameters of norms are permuted; buffers, such as running statistics, stay. A parameter that several
    layers share is drawn once. The network is left as it was found, and so is its mode.

    Parameters
    ----------
    inputs
        Any the network takes: a forward pass finds the order of the layers.
    share
        From 0 to 1; the number of layers is rounded up.
    generator_of
        Gives the stream of the layer of that name. One name, one stream: a deeper copy has the same first layers.

    Raises
    ------
    UnsupportedOperation
        The network cannot be copied.

    References
    ----------
    Adebayo et al. 2018; theirs starts at the output.
    """
    layers = layers_in_order(network, inputs)
    copy = _copy(network)
    owned = _owned_parameters(copy)
    for name in layers[: ceil(share * len(layers))]:
        generator = generator_of(name)
        for parameter in owned[name]:
            _redraw(parameter, isinstance(copy.get_submodule(name), NORMS), generator)
    return copy


def layers_in_order(network: nn.Module, inputs: Inputs) -> tuple[str, ...]:
    """Return the names of the modules that own parameters, in the order in which a forward pass first uses one.

    Those that it does not use come last, in the order of the modules. A parameter that several modules share belongs to
    the first of them.
    """
    with evaluating(network), torch.no_grad(), _FirstUses() as seen:
        network(inputs.clone())
    uses = {
        name: [seen.first[id(p)] for p in parameters if id(p) in seen.first]
        for name, parameters in _owned_parameters(network).items()
    }
    return tuple(sorted(uses, key=lambda name: min(uses[name], default=float("inf"))))


class _FirstUses(TorchFunctionMode):
    """Numbers the tensors in the order in which functions make something of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets the id of one that is gone
        self._number = count()

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):  # a shape or a type says nothing of order
            for leaf in tree_leaves((args, kwargs)):
                if isinstance(leaf, nn.Parameter) and id(leaf) not in self.first:
                    self.first[id(leaf)] = next(self._number)
                    self._kept.append(leaf)
        return result


def _owned_parameters(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the parameters by the name of the first module that holds them, each once; floating-point ones alone."""
    owned: dict[str, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.is_floating_point():
            owned.setdefault(name.rpartition(".")[0], []).append(parameter)
    return owned


def _copy(network: nn.Module) -> nn.Module:
    try:
        return copy_of(network)
    except (RuntimeError, TypeError) as error:
        raise UnsupportedOperation(f"a copy of the network ({error}); let copy.deepcopy copy it") from error


@torch.no_grad()
def _redraw(parameter: nn.Parameter, of_norm: bool, generator: torch.Generator) -> None:
    values = parameter.cpu().to(torch.promote_types(parameter.dtype, torch.float32))
    if of_norm or values.dim() < 2:
        order = torch.randperm(values.numel(), generator=generator)
        drawn = values.flatten()[order].view_as(values)
    else:
        spread, mean = torch.std_mean(values, correction=0)
        drawn = torch.randn(values.shape, generator=generator, dtype=values.dtype).mul_(spread).add_(mean)
    parameter.copy_(drawn)
