"""Variants of a network: copies as they are shipped, which read and answer float32, as the network itself does.

A copy casts by hooks, so that its modules keep their names, and methods draw and compute in float32 for all variants.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, compiler, nn
from torch._dynamo import config
from torch.utils._pytree import tree_map_only

from attacks.types import Model
from pipeline.machine import devices
from pipeline.spec.variants import VariantSpec
from srd.entries import AttributorEntry
from srd.errors import UnsupportedOperation

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
DYNAMIC = "torch.ao.nn.quantized.dynamic"
"""The beginning of the names of the modules of layers of dynamic int8."""


def make_variant(model: Model, asked: VariantSpec) -> Model:
    """Return a copy of a model as a variant ships it; the model is left as found. Weights are not changed here.

    Raises
    ------
    UnsupportedOperation
        If the network cannot be copied, or has nothing that the variant changes.
    """
    copy = _copy(model)
    if asked.quantize:
        copy.network = _quantize(copy.network, copy.device)
    if asked.dtype:
        _cast(copy.network, DTYPES[asked.dtype])
    if asked.compile:
        copy.network = Compiled(copy.network)
    return copy.eval().requires_grad_(False)


def refuse_hidden_operations(asked: VariantSpec, method: AttributorEntry) -> None:
    """Refuse a method that reads the operations of a network, if a compiler hides them.

    Raises
    ------
    UnsupportedOperation
        If the method cannot see what it reads.
    """
    reads_operations = "operations" in method.needs or method.networks == "transformers"
    if asked.compile and reads_operations:
        raise UnsupportedOperation("the method reads the network's operations, which the compiler hides")


class Compiled(nn.Module):
    """A compiled network, which runs compiled also where passes are eager."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._call = torch.compile(network)

    def forward(self, inputs: Tensor) -> Any:
        """Return the answer of the compiled network, and never that of an eager pass in its place."""
        with compiler.set_stance("default"), config.patch(fail_on_recompile_limit_hit=True):
            return self._call(inputs)


@dataclass(frozen=True)
class _EndOfGradient:
    """A hook that refuses gradients before a layer through which none passes."""

    name: str

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled() and inputs[0].requires_grad:
            raise UnsupportedOperation(f"no gradient passes through {self.name!r}, a layer of dynamic int8")


@dataclass(frozen=True)
class _CastInputs:
    dtype: torch.dtype

    def __call__(self, _: nn.Module, inputs: Any) -> Any:
        return _cast_floats(inputs, self.dtype)


@dataclass(frozen=True)
class _CastOutputs:
    dtype: torch.dtype

    def __call__(self, _: nn.Module, __: Any, output: Any) -> Any:
        return _cast_floats(output, self.dtype)


def _copy(model: Model) -> Model:
    try:
        return deepcopy(model)
    except (RuntimeError, TypeError) as error:
        raise UnsupportedOperation(f"a copy of the network ({error}); let copy.deepcopy copy it") from error


def _cast(network: nn.Module, dtype: torch.dtype) -> None:
    network.to(dtype)
    network.register_forward_pre_hook(_CastInputs(dtype))
    network.register_forward_hook(_CastOutputs(torch.float32))


def _cast_floats(values: Any, dtype: torch.dtype) -> Any:
    return tree_map_only(Tensor, lambda each: each.to(dtype) if each.is_floating_point() else each, values)


def _quantize(network: nn.Module, device: torch.device) -> nn.Module:
    if device.type != "cpu":
        raise UnsupportedOperation(f"dynamic int8 runs on the CPU alone; set {devices.VARIABLE}=cpu")
    with _ignore_deprecations():
        made: nn.Module = torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8, inplace=True)
    layers = [(name, module) for name, module in made.named_modules() if type(module).__module__.startswith(DYNAMIC)]
    if not layers:
        raise UnsupportedOperation("the network has no linear layer that dynamic int8 replaces")
    for name, module in layers:
        module.register_forward_pre_hook(_EndOfGradient(name or "the network"))
    return made


@contextmanager
def _ignore_deprecations() -> Iterator[None]:
    """Keep what torch says of the successors of its own quantisation from the user, who does not call it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated")
        yield
