"""What class activation maps share: the encoder's last feature vectors, their gradients, and the grid they lie on."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from srd.interception import Interception
from srd.passes import evaluating, leaf, scores_of
from srd.rules import SharingRatio
from srd.types import Inputs, Maps, Scores, Target
from srd.vectors import on_grid

Combination = Callable[[Tensor, Tensor, tuple[int, ...]], Tensor]
"""(feature vectors, the target's gradient at them, channel axes) -> a number for each position, channel axes kept."""


class Features(NamedTuple):
    """Where the encoder ends, in one forward pass."""

    order: int
    """Of the operation that made them."""
    vectors: Tensor
    channels: tuple[int, ...]
    gradient: Tensor
    """Of the target's logit."""
    scores: Scores
    """The target's logit itself."""

    @property
    def channels_first(self) -> Tensor:
        """The vectors as (n, channels, *positions)."""
        moved = self.vectors.movedim(self.channels, self._first_axes)
        return moved.flatten(1, len(self.channels))

    def of_channels_first(self, vectors: Tensor) -> Tensor:
        """(rows, channels, *positions), any number of rows, as the network has them."""
        sizes = [self.vectors.shape[axis] for axis in self.channels]
        as_there: Tensor = vectors.unflatten(1, sizes).movedim(self._first_axes, self.channels)
        return as_there

    @property
    def _first_axes(self) -> tuple[int, ...]:
        return tuple(range(1, 1 + len(self.channels)))


def features_of(
    network: nn.Module, inputs: Inputs, target: Target, encoder: str | None, *, create_graph: bool = False
) -> Features:
    """What the encoder hands to the head, and the target's gradient there.

    `encoder` names the layer as for SRD; by default it is the last activation with more than one position. `inputs`
    require grad.
    """
    trace = Interception(inputs, SharingRatio("drop", by_weights=create_graph))
    names = [] if encoder is None else [encoder]
    with trace.watching(network, names) as layers, trace:
        logits = network(inputs)
    scores = scores_of(logits, target)
    end, gradient = trace.encoder_end(logits, scores, *layers.values(), create_graph=create_graph)
    return Features(end.order, end.after, end.channels, gradient, scores)


def class_activation_map(
    network: nn.Module, inputs: Inputs, target: Target, combine: Combination, *, encoder: str | None, create_graph: bool
) -> Maps:
    """What `combine` makes of each position of the encoder's output, on the grid of those positions."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        features = features_of(network, inputs, target, encoder, create_graph=create_graph)
        coarse = combine(features.vectors, features.gradient, features.channels).squeeze(features.channels)
        maps = on_grid(coarse, *inputs.shape[2:])
    return maps if create_graph else maps.detach()


def weighted_relu_map(features: Features, weights: Tensor, inputs: Inputs) -> Maps:
    """ReLU of the channels' sum, each times its weight, (n, channels), on the grid of the encoder's positions."""
    vectors = features.channels_first
    coarse = (vectors * weights.reshape(*weights.shape, *[1] * (vectors.dim() - 2))).sum(1)
    return on_grid(coarse.clamp(min=0), *inputs.shape[2:])


def stretch(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """To [0, 1] along the axes; 0 where they hold equal values."""
    low, high = values.amin(axes, keepdim=True), values.amax(axes, keepdim=True)
    return (values - low) / (high - low).masked_fill(high <= low, torch.inf)
