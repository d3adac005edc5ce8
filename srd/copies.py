"""Copies of networks, whatever they keep of their last pass."""

from copy import deepcopy
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from srd.operations import Arguments, Function, Keywords

Network = TypeVar("Network", bound=nn.Module)


def copy_of(network: Network) -> Network:
    """Return a deep copy of a network, which may keep tensors of a pass with gradients: the copy has them without."""
    with _without_graphs():
        return deepcopy(network)


class _without_graphs(TorchFunctionMode):  # noqa: N801  a context manager
    """Context in which a copy of a tensor that torch computed from others is no part of their graph."""

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        if func is Tensor.__deepcopy__ and args[0].grad_fn is not None:
            return args[1].setdefault(id(args[0]), args[0].detach().clone())
        return func(*args, **(kwargs or {}))
