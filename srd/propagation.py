"""One forward pass of a network, and the propagation of relevance from any of its layers down."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from srd.encoder import Layer, Signal, Vectors
from srd.entries import DeclaredRule
from srd.interception import Interception
from srd.options import SrdOptions
from srd.passes import scores_of
from srd.rules import SharingRatio
from srd.types import Inputs, Maps, Target
from srd.vectors import by_mean_gradient, inner, position_axes

Contrast = Literal["none", "mean"]
Start = Literal["gradient", "gradcam"]


class Propagation:
    """The pass of `inputs`, which require grad, through a `network` in evaluation mode.

    Raises
    ------
    ModelError
        A named layer is unknown, does not run or makes no feature vectors.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Inputs,
        rules: SharingRatio,
        *,
        layers: Sequence[str] = (),
        operations: Mapping[str, DeclaredRule],
    ) -> None:
        self.inputs = inputs
        self.rules = rules
        self._trace = Interception(inputs, rules, operations)
        with self._trace.watching(network, layers) as seen:
            self._logits = self._trace.logits_of(network)
        self.layers: Mapping[str, Layer] = seen
        self.prefix_tokens = self._trace.prefix_tokens

    def starting_point(self, target: Target, options: SrdOptions) -> tuple[Vectors, Tensor, Signal]:
        """Return where the encoder ends, the relevance of each position there, and the signal of this relevance.

        The relevance keeps the channel axes with size 1.

        Raises
        ------
        UnsupportedOperation
            The network cannot be decomposed from there down.
        ValueError
            The contrast or start is unknown.
        """
        end, gradient = self._encoder_end(target, options.encoder, create_graph=options.create_graph)
        initial, signal = self._starting_relevance(end, gradient, options)
        return end, initial, signal

    def _encoder_end(self, target: Target, named: str | None, *, create_graph: bool) -> tuple[Vectors, Signal]:
        """Return the vectors at which the encoder ends, or the `named` layer does, and the target's gradient there."""
        layer = None if named is None else self.layers[named]
        with self.rules.holding():
            scores = scores_of(self._logits, target)
            end, signal = self._trace.encoder_end(self._logits, scores, layer, create_graph=create_graph)
        self._trace.refuse_unknown_below(end)
        return end, signal

    def _starting_relevance(self, end: Vectors, gradient: Signal, options: SrdOptions) -> tuple[Tensor, Signal]:
        contrast = options.contrast
        for option, value, known in (("contrast", contrast, Contrast), ("start", options.start, Start)):
            if value not in get_args(known):
                raise ValueError(f"{option} {value!r} is not one of {', '.join(get_args(known))}")
        if options.start == "gradcam":
            relevance = _subtract_contrast(_grad_cam(end, gradient, create_graph=options.create_graph), end, contrast)
            return relevance, self.rules.relevance_signal(end.before, relevance, end.channels)
        after = end.after
        relevance = inner(after, gradient, end.channels)
        initial = _subtract_contrast(relevance, end, contrast)
        if end.is_activation:
            return initial, self.rules.starting_signal(end.before, after, gradient, initial, end.channels)
        return initial, gradient + self.rules.relevance_signal(end.before, initial - relevance, end.channels)

    def signal_at(self, vectors: Vectors, relevance: Tensor) -> Signal:
        """Return the signal at `vectors.before` of a relevance for each position, which keeps channel axes of size 1.

        Raises
        ------
        UnsupportedOperation
            Relevance would flow through an operation that has no rule.
        """
        self._trace.refuse_unknown_below(vectors)
        return self.rules.relevance_signal(vectors.before, relevance, vectors.channels)

    def propagate(
        self, vectors: Vectors, signal: Signal, lower: Sequence[Tensor | GradientEdge], *, create_graph: bool
    ) -> tuple[Signal | None, ...]:
        """Return what of a `signal` at `vectors.before` reaches each of the `lower` ends; None where nothing does."""
        with self.rules.propagating():
            return torch.autograd.grad(
                vectors.before,
                lower,  # type: ignore[arg-type]  # the stub knows no mixture
                signal,
                create_graph=create_graph,
                allow_unused=True,
            )

    def maps(self, vectors: Vectors, signal: Signal, *, create_graph: bool) -> Maps:
        """Return the relevance of each pixel, (n, h, w)."""
        (at_inputs,) = self.propagate(vectors, signal, [self.inputs], create_graph=create_graph)
        maps = torch.zeros_like(self.inputs) if at_inputs is None else self.inputs * at_inputs
        return maps.sum(1)


def _subtract_contrast(relevance: Tensor, end: Vectors, contrast: Contrast) -> Tensor:
    if contrast == "none":
        return relevance
    return relevance - relevance.mean(position_axes(relevance, end.channels), keepdim=True)


def _grad_cam(end: Vectors, gradient: Signal, *, create_graph: bool) -> Tensor:
    """Return Grad-CAM of the vectors before the activation."""
    if end.is_activation:
        (gradient,) = torch.autograd.grad(end.at, end.before, gradient, retain_graph=True, create_graph=create_graph)
    return by_mean_gradient(end.before, gradient, end.channels)
