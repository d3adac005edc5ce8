"""What class activation maps share: the encoder's last feature vectors, their gradients, and the way to the pixels."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from srd.interception import Interception
from srd.passes import evaluating, leaf, scores_of
from srd.rules import SharingRatio
from srd.types import Inputs, Maps, Target
from srd.vectors import on_grid

Combination = Callable[[Tensor, Tensor, tuple[int, ...]], Tensor]
"""(feature vectors, the target's gradient at them, channel axes) -> a number for each position, channel axes kept."""


def class_activation_map(
    network: nn.Module, inputs: Inputs, target: Target, combine: Combination, *, encoder: str | None, create_graph: bool
) -> Maps:
    """What `combine` makes of each position of the encoder's output, upsampled bilinearly to the inputs.

    `encoder` names the layer as for SRD; by default it is the last activation with more than one position.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        trace = Interception(inputs, SharingRatio("drop"))
        names = [] if encoder is None else [encoder]
        with trace.watching(network, names) as layers, trace:
            logits = network(inputs)
        scores = scores_of(logits, target)
        end, gradient = trace.encoder(logits, scores, *layers.values(), create_graph=create_graph)
        coarse = combine(end.after, gradient, end.channels).squeeze(end.channels)
        maps = upsampled(coarse, inputs.shape[2:])
    return maps if create_graph else maps.detach()


def upsampled(coarse: Tensor, size: torch.Size) -> Maps:
    """A number for each position, (n, *positions), as maps of the pixels, bilinearly."""
    grid = on_grid(coarse, *size)
    return functional.interpolate(grid[:, None], size, mode="bilinear", align_corners=False)[:, 0]
