"""The explained class of each row, in any form that a caller may give it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import nn

from srd.errors import InputError
from srd.types import AnyTarget, Inputs, Maps, Target

WAY_OUT = "give the number of one class, or one number for each row"


def target_of_each_row(target: AnyTarget, inputs: Inputs) -> Target:
    """Return the class of each row of the inputs, on their device: one class stands for all rows.

    Raises
    ------
    InputError
        The target holds no integers, or neither one nor one for each row.
    """
    try:
        given = torch.as_tensor(target, device=inputs.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"target {target!r}: {error}; {WAY_OUT}") from error
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise InputError(f"target: its numbers are of type {given.dtype}, not integers; {WAY_OUT}")
    n = len(inputs)
    if given.dim() > 1 or given.numel() not in {1, n}:
        raise InputError(f"target: shape {tuple(given.shape)} does not fit {n} rows; {WAY_OUT}")
    return given.to(torch.int64).expand(n)


def accept_any_target(attributor: Callable[..., Maps]) -> Callable[..., Maps]:
    """Return the method with a `target` of any form that `target_of_each_row` takes."""

    @wraps(attributor)
    def explain(network: nn.Module, inputs: Inputs, target: AnyTarget, *args: Any, **options: Any) -> Maps:
        return attributor(network, inputs, target_of_each_row(target, inputs), *args, **options)

    return explain
