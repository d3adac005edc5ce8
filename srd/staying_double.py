"""Passes in double precision of networks that cast to single precision."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from srd.operations import Arguments, Function, Keywords, name_of
from srd.provenance import map_tensors, tensors

CASTS = frozenset("float half bfloat16 to type type_as".split())


def run_in_double(network: nn.Module) -> None:
    """Let every pass of a network of double precision stay in it, whatever casts and constants its code holds."""
    forward: Callable[..., Any] = network.forward

    def forward_in_double(*args: Any, **kwargs: Any) -> Any:
        with staying_double():
            return forward(*args, **kwargs)

    network.forward = forward_in_double


class staying_double(TorchFunctionMode):  # noqa: N801  a context manager, used as a verb
    """Context in which numbers of double precision are cast to no other, and those that meet them are cast to it.

    What an operation writes in place keeps its type.
    """

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in CASTS and _is_double(args[0]):
            result = func(*args, **kwargs)
            return args[0] if isinstance(result, Tensor) and result.is_floating_point() else result
        if name_of(func) == func.__name__ and any(map(_is_double, tensors((args, kwargs)))):
            args, kwargs = map_tensors(_in_double, (args, kwargs))
        return func(*args, **kwargs)


def _is_double(value: object) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.float64


def _in_double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
