"""The module whose output is that of a network's encoder, where plain passes can read it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from srd.encoder import Vectors
from srd.entries import DeclaredRule
from srd.errors import UnsupportedOperation
from srd.interception import NOTHING_DECLARED, Interception
from srd.passes import evaluating, leaf, scores_of
from srd.rules import SharingRatio
from srd.types import Inputs, Target

CLOSE = 1e-4  # of the largest value: a pass that is watched may round otherwise than a plain one


def encoder_module(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
) -> str:
    """Return the name of the module that returns the vectors at which the encoder ends, when it runs last.

    Where only a function makes them, as in DenseNet, it is the module that returns what this last activation reads.
    `encoder` and `operations` are those of `srd.decompose`.

    Raises
    ------
    UnsupportedOperation
        The network has no such vectors, or no module returns them with one row for each input.
    ModelError
        The encoder is unknown.
    """
    with evaluating(network):
        end = _encoder_end(network, inputs, target, encoder, operations)
        for vectors in (end.after.detach(), end.before.detach()):
            name = _module_that_returns(vectors, network, inputs)
            if name:
                return name
    raise UnsupportedOperation("no module returns the output of the encoder")


def _encoder_end(
    network: nn.Module, inputs: Inputs, target: Target, encoder: str | None, operations: Mapping[str, DeclaredRule]
) -> Vectors:
    inputs = leaf(inputs, create_graph=False)
    trace = Interception(inputs, SharingRatio("drop"), operations)
    with trace.watching(network, [encoder] if encoder else []) as layers:
        logits = trace.logits_of(network)
    end, _ = trace.encoder_end(logits, scores_of(logits, target), *layers.values())
    return end


def _module_that_returns(vectors: Tensor, network: nn.Module, inputs: Inputs) -> str:
    """Return the first module below the network whose last output equals the vectors, or an empty text."""
    returns: dict[str, bool] = {}

    def compare(name: str, output: Any) -> None:
        returns[name] = isinstance(output, Tensor) and len(output) == len(inputs) and _is_close(output, vectors)

    handles = [
        module.register_forward_hook(lambda *call, name=name: compare(name, call[-1]))
        for name, module in network.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            network(inputs.clone())
    finally:
        for handle in handles:
            handle.remove()
    return next((name for name, does in returns.items() if does), "")


def _is_close(output: Tensor, vectors: Tensor) -> bool:
    if output.shape != vectors.shape or not vectors.any():
        return False
    return torch.allclose(output, vectors, rtol=CLOSE, atol=CLOSE * float(vectors.abs().max()))
