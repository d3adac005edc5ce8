"""Methods that read the gradient of the target's logit at the inputs."""

import torch
from torch import Tensor, nn

from srd.passes import chosen, evaluating, gradient, leaf
from srd.types import Generators, Inputs, Maps, Target


def saliency(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Sum over channels of |d y_c / d x|, non-negative (Simonyan, Vedaldi, Zisserman 2014; channels as decided)."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        return _input_gradient(network, inputs, target, create_graph).abs().sum(1)


def input_x_gradient(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Sum over channels of x * d y_c / d x, with x the normalised pixel (Shrikumar et al. 2016)."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        maps = (inputs * _input_gradient(network, inputs, target, create_graph)).sum(1)
    return maps if create_graph else maps.detach()


def integrated_gradients(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    points: int = 16,
    baseline: Tensor | None = None,
    create_graph: bool = False,
) -> Maps:
    """Gradients along the straight path from `baseline`, times the way (Sundararajan, Taly, Yan 2017, eq. 3).

    `points` are the midpoints of equal steps. `baseline` broadcasts to `inputs`; 0 by default, which is the mean
    image where inputs are normalised.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        way = inputs - (torch.zeros_like(inputs) if baseline is None else baseline.to(inputs))
        total = torch.zeros_like(inputs)
        for k in range(points):
            at = inputs - way * ((k + 0.5) / points)
            total = total + _input_gradient(network, at, target, create_graph)
        maps = (way * total).sum(1) / points
    return maps if create_graph else maps.detach()


def _input_gradient(network: nn.Module, inputs: Inputs, target: Target, create_graph: bool) -> Tensor:
    return gradient(chosen(network(inputs), target), inputs, create_graph=create_graph)
