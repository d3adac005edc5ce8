"""Passes of a network that leave no trace on the network or on the caller's state."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from srd.types import Inputs, Logits, Scores, Target


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Run the body in evaluation mode, with gradients and full precision, and restore the mode of every module."""
    training = [module for module in network.modules() if module.training]
    device = next((p.device.type for p in network.parameters()), "cpu")
    if training:
        network.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        for module in training:
            module.training = True


def leaf(inputs: Inputs, *, create_graph: bool) -> Inputs:
    """Return inputs to differentiate by: the caller's own if a graph is asked for, else a detached copy."""
    if create_graph and inputs.requires_grad:
        return inputs
    return inputs.detach().clone().requires_grad_()


def scores_of(logits: Logits, target: Target) -> Scores:
    """Return the target's logit of each row."""
    index = target[:, None].clone()  # the graph cannot keep a tensor made in inference mode
    return logits.gather(1, index)[:, 0]


def input_gradient(network: nn.Module, inputs: Inputs, target: Target, *, create_graph: bool) -> Tensor:
    """Return the gradient of the target's logit at each input, (n, c, h, w), as part of the graph if asked for."""
    with sdpa_kernel(SDPBackend.MATH) if create_graph else nullcontext():  # fused attention has no second derivative
        scores = scores_of(network(inputs), target)
    (gradient,) = torch.autograd.grad(scores.sum(), inputs, create_graph=create_graph)
    return gradient
