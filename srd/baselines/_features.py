"""Common parts of class activation maps: the encoder's last feature vectors, their gradients and their grid."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from srd.entries import DeclaredRule
from srd.interception import Interception
from srd.passes import evaluating, leaf, scores_of
from srd.prefix_tokens import NO_JOINS, PrefixTokens
from srd.rules import SharingRatio
from srd.types import Inputs, Maps, Scores, Target
from srd.vectors import on_grid

Combination = Callable[[Tensor, Tensor, tuple[int, ...]], Tensor]
"""(feature vectors, the target's gradient at them, channel axes) -> one number per position, channel axes kept."""


class Features(NamedTuple):
    """The feature vectors at which the encoder ends, in one forward pass."""

    order: int
    """Number of the operation that made the vectors."""
    vectors: Tensor
    channels: tuple[int, ...]
    gradient: Tensor
    """Gradient of the target's logit."""
    scores: Scores
    """The target's logit itself."""
    prefix_tokens: PrefixTokens = NO_JOINS

    @property
    def channels_first(self) -> Tensor:
        """Return the vectors as (n, channels, *positions)."""
        moved = self.vectors.movedim(self.channels, self._first_axes)
        return moved.flatten(1, len(self.channels))

    def of_channels_first(self, vectors: Tensor) -> Tensor:
        """Return vectors (rows, channels, *positions), of any number of rows, in the layout of the network."""
        sizes = [self.vectors.shape[axis] for axis in self.channels]
        as_there: Tensor = vectors.unflatten(1, sizes).movedim(self._first_axes, self.channels)
        return as_there

    def on_grid(self, values: Tensor, inputs: Inputs) -> Tensor:
        """Return values of the encoder's positions, (rows, *positions), as maps (rows, height, width)."""
        return on_grid(values, *inputs.shape[2:], n_prefix=self.prefix_tokens.among(values.shape[1]))

    @property
    def _first_axes(self) -> tuple[int, ...]:
        return tuple(range(1, 1 + len(self.channels)))


def features_of(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    encoder: str | None,
    operations: Mapping[str, DeclaredRule],
    *,
    create_graph: bool = False,
) -> Features:
    """Return the vectors that the encoder hands to the head, and the target's gradient there.

    Parameters
    ----------
    inputs
        Inputs that require grad.
    encoder
        Names the layer, as for SRD. By default it is the last activation with more than one position.
    operations
        Those of `srd.decompose`: what is declared an activation may end the encoder.
    """
    trace = Interception(inputs, SharingRatio("drop", by_weights=create_graph), operations)
    names = [] if encoder is None else [encoder]
    with trace.watching(network, names) as layers:
        logits = trace.logits_of(network)
    scores = scores_of(logits, target)
    end, gradient = trace.encoder_end(logits, scores, *layers.values(), create_graph=create_graph)
    return Features(end.order, end.after, end.channels, gradient, scores, trace.prefix_tokens)


def class_activation_map(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    combine: Combination,
    *,
    encoder: str | None,
    operations: Mapping[str, DeclaredRule],
    create_graph: bool,
) -> Maps:
    """Return the result of `combine` at each position of the encoder's output, on the grid of these positions."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        features = features_of(network, inputs, target, encoder, operations, create_graph=create_graph)
        coarse = combine(features.vectors, features.gradient, features.channels).squeeze(features.channels)
        maps = features.on_grid(coarse, inputs)
    return maps if create_graph else maps.detach()


def weighted_relu_map(features: Features, weights: Tensor, inputs: Inputs) -> Maps:
    """Return the ReLU of the weighted sum of channels, on the grid of the encoder's positions.

    Parameters
    ----------
    weights
        One weight for each channel, (n, channels).
    """
    vectors = features.channels_first
    coarse = (vectors * weights.reshape(*weights.shape, *[1] * (vectors.dim() - 2))).sum(1)
    return features.on_grid(coarse.clamp(min=0), inputs)


def stretch(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Scale the values to [0, 1] along the axes; where all values are equal the result is 0."""
    low, high = values.amin(axes, keepdim=True), values.amax(axes, keepdim=True)
    return (values - low) / (high - low).masked_fill(high <= low, torch.inf)
