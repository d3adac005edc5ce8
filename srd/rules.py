"""The two rules of SRD, as backward passes that replace the ordinary ones while relevance is propagated.

With G_j = X_j R_j / ||X_j||^2 carried instead of R_j, an affine map hands on g_i = W^T G, its ordinary backward, and
R_i = <x_i, g_i>. Only activations (Han et al. 2024, eq. 4-6) and biases need a rule of their own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from srd.affine import Affine, safe_ratio

Bias = Literal["norm", "ratio", "uniform", "drop"]
Contrast = Literal["none", "mean"]
Backward = Callable[[Tensor, Tensor, Tensor], tuple[Tensor | None, Tensor | None]]
"""(inputs, outputs, gradient at the outputs) -> gradients at the inputs and at the outputs."""


class SharingRatio:
    """Rules of one backward pass; outside `propagating` every gradient is the ordinary one."""

    def __init__(self, bias: Bias, contrast: Contrast) -> None:
        self._bias = bias
        self._contrast = contrast
        self._encoder: int | None = None
        self.initial: Tensor | None = None
        """Relevance of each position of the encoder's output: (n, h, w)."""
        self.lost: Tensor | float = 0.0
        """Relevance per row that found no source: (n,)."""

    @contextmanager
    def propagating(self, encoder: int) -> Iterator[None]:
        """Backward passes propagate relevance, from the activation of order `encoder` down."""
        self._encoder = encoder
        try:
            yield
        finally:
            self._encoder = None

    def activation(self, order: int, before: Tensor, after: Tensor) -> Tensor:
        """`after`, (n, c, h, w), whose backward hands X <phi(X), g> / ||X||^2 to `before`, X."""
        return self._ruled(order, before, after, lambda x, y, g: self._through_activation(order, x, y, g))

    def affine(self, order: int, affine: Affine, inputs: Tensor, outputs: Tensor) -> Tensor:
        """`outputs` = affine(inputs), whose backward shares the relevance of the bias among its taps."""
        if affine.bias is None:
            return outputs
        return self._ruled(order, inputs, outputs, lambda x, y, g: self._through_bias(affine, x, y, g))

    def constant(self, order: int, outputs: Tensor, constant: Tensor) -> Tensor:
        """`outputs`, whose backward counts as lost what belongs to the `constant` part of it."""

        def backward(x: Tensor, y: Tensor, g: Tensor) -> tuple[None, Tensor]:
            self._lose((constant * g).flatten(1).sum(1))
            return None, g

        return self._ruled(order, outputs, outputs, backward)

    def _ruled(self, order: int, inputs: Tensor, outputs: Tensor, backward: Backward) -> Tensor:
        def switched(x: Tensor, y: Tensor, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
            if self._encoder is None or order > self._encoder:
                return None, g
            return backward(x, y, g)

        ruled: Tensor = _Ruled.apply(switched, inputs, outputs)
        return ruled

    def _through_activation(self, order: int, before: Tensor, after: Tensor, g: Tensor) -> tuple[Tensor, None]:
        relevance = (after * g).sum(1, keepdim=True)
        if order == self._encoder:
            relevance = self._started(relevance)
        squares = before.square().sum(1, keepdim=True)
        self._lose(_where_zero(relevance, squares))
        return before * safe_ratio(relevance, squares), None

    def _started(self, relevance: Tensor) -> Tensor:
        if self._contrast == "mean":
            relevance = relevance - relevance.mean((2, 3), keepdim=True)
        self.initial = relevance.detach()[:, 0]
        return relevance

    def _through_bias(self, affine: Affine, inputs: Tensor, outputs: Tensor, g: Tensor) -> tuple[Tensor | None, Tensor]:
        if affine.bias is None:
            return None, g
        bias = affine.bias[:, None, None]
        share = (g * bias).sum(1, keepdim=True)
        if self._bias == "drop":
            self._lose(share.flatten(1).sum(1))
            return None, g
        if self._bias == "ratio":
            return None, g + self._by_ratio(outputs - bias, share)
        return self._by_tap(affine, inputs, share), g

    def _by_ratio(self, bias_free: Tensor, share: Tensor) -> Tensor:
        squares = bias_free.square().sum(1, keepdim=True)
        self._lose(_where_zero(share, squares))
        return bias_free * safe_ratio(share, squares)

    def _by_tap(self, affine: Affine, inputs: Tensor, share: Tensor) -> Tensor:
        weights = affine.tap_norms(inputs) if self._bias == "norm" else affine.tap_presence(inputs)
        if affine.is_pointwise:
            received = share * weights
            self._lose(_where_zero(share, weights))
        else:
            totals = affine.gather(weights)
            self._lose(_where_zero(share, totals))
            received = (weights * affine.scatter(safe_ratio(share, totals), inputs.shape[2:])).sum(1, keepdim=True)
        return inputs * safe_ratio(received, inputs.square().sum(1, keepdim=True))

    def _lose(self, relevance: Tensor) -> None:
        self.lost = self.lost + relevance.detach()


def _where_zero(relevance: Tensor, divisor: Tensor) -> Tensor:
    return (relevance * (divisor == 0)).flatten(1).sum(1)


class _Ruled(torch.autograd.Function):
    """Identity on `outputs` with a replaceable backward, which is itself differentiable.

    Keeping `outputs` an input leaves the true derivative at hand: an attack on a map differentiates what the rule has
    saved, and must not meet the rule again on its way down.
    """

    @staticmethod
    def forward(ctx: Any, backward: Backward, inputs: Tensor, outputs: Tensor) -> Tensor:
        ctx.rule = backward
        ctx.save_for_backward(inputs, outputs)
        return outputs.view_as(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        inputs, outputs = ctx.saved_tensors
        at_inputs, at_outputs = ctx.rule(inputs, outputs, gradients[0])
        return None, at_inputs, at_outputs
