"""Passes of a network that leave no trace on the network or on the caller's state."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from srd.eager import eager_passes
from srd.errors import InputError, UnsupportedOperation
from srd.types import Inputs, Logits, Scores, Target


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Run the body in evaluation mode, with gradients and full precision, eagerly and without recomputation.

    The mode of every module is restored.
    """
    training = [module for module in network.modules() if module.training]
    device = next((p.device.type for p in network.parameters()), "cpu")
    if training:
        network.eval()
    try:
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device, enabled=False),
            eager_passes(),
        ):
            yield
    finally:
        for module in training:
            module.training = True


def leaf(inputs: Inputs, *, create_graph: bool) -> Inputs:
    """Return inputs to differentiate by: the caller's own if a graph is asked for, else a detached copy."""
    if create_graph and inputs.requires_grad:
        return inputs
    return inputs.detach().clone().requires_grad_()


def logits_of(network: nn.Module, inputs: Inputs) -> Logits:
    """Return the output of the network for a copy of the inputs: the network may write into the copy in place.

    Raises
    ------
    UnsupportedOperation
        The network writes where no gradient can follow.
    """
    copy = inputs.clone()
    made_by = copy.grad_fn
    try:
        logits: Logits = network(copy)
    except RuntimeError as error:
        if "arguments don't support automatic differentiation" not in str(error):
            raise
        raise UnsupportedOperation(f"an out argument ({error}); let the operation return its result") from error
    if copy.grad_fn is made_by:
        refuse_changes(copy, inputs)
    return logits


def refuse_changes(copy: Tensor, inputs: Inputs) -> None:
    """Refuse a copy of the inputs that no longer equals them although no operation was seen to write into it.

    Raises
    ------
    UnsupportedOperation
        They differ.
    """
    if not torch.allclose(copy, inputs, rtol=0, atol=0, equal_nan=True):
        raise UnsupportedOperation(
            "the network writes into its inputs where no gradient can follow (no_grad, .data or NumPy); "
            "let it compute a new tensor instead"
        )


def scores_of(logits: Logits, target: Target) -> Scores:
    """Return the target's logit of each row.

    Raises
    ------
    InputError
        The network has no such class.
    """
    n_classes = logits.shape[1]
    absent = target[(target < 0) | (target >= n_classes)]
    if len(absent):
        raise InputError(
            f"target {int(absent[0])}: the network has {n_classes} classes; give numbers from 0 to {n_classes - 1}"
        )
    index = target[:, None].clone()  # the graph cannot keep a tensor made in inference mode
    return logits.gather(1, index)[:, 0]


def input_gradient(network: nn.Module, inputs: Inputs, target: Target, *, create_graph: bool) -> Tensor:
    """Return the gradient of the target's logit at each input, (n, c, h, w), as part of the graph if asked for."""
    with sdpa_kernel(SDPBackend.MATH) if create_graph else nullcontext():  # fused attention has no second derivative
        scores = scores_of(logits_of(network, inputs), target)
    (gradient,) = torch.autograd.grad(scores.sum(), inputs, create_graph=create_graph)
    return gradient
