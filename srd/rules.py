"""The rules of SRD, as backward passes that replace the ordinary ones while relevance is propagated.

With G_j = X_j R_j / ||X_j||^2 carried instead of R_j, an affine map hands on g_i = W^T G, its ordinary backward, and
R_i = <x_i, g_i>. Only activations (Han et al. 2024, eq. 4-6), biases and what is held constant need a rule.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from srd.affine import Affine
from srd.vectors import along, inner, safe_ratio

Bias = Literal["norm", "ratio", "uniform", "drop"]
Rule = Callable[..., tuple[Tensor | None, ...]]
"""(gradient at the outputs, what was kept) -> gradients at the outputs and at each tensor that was kept."""


class SharingRatio:
    """Rules of one backward pass; outside `holding` and `propagating` every gradient is the ordinary one.

    Raises ValueError for an unknown `bias`.
    """

    def __init__(self, bias: Bias) -> None:
        if bias not in get_args(Bias):
            raise ValueError(f"bias {bias!r} is not one of {', '.join(get_args(Bias))}")
        self._bias = bias
        self._is_holding = False
        self._is_propagating = False
        self._lost: list[Tensor] = []

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Backward passes take for constant what is held: those through the head."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False

    @contextmanager
    def propagating(self) -> Iterator[None]:
        """Backward passes propagate relevance: those through the encoder."""
        self._is_propagating = True
        try:
            with self.holding():
                yield
        finally:
            self._is_propagating = False

    def activation(self, before: Tensor, after: Tensor, channels: tuple[int, ...]) -> Tensor:
        """`after`, whose backward hands X <phi(X), g> / ||X||^2 to `before`, X."""
        return self._ruled(
            lambda g, x, y: (None, self._through_activation(channels, x, y, g), None), after, before, after
        )

    def affine(self, affine: Affine, inputs: Tensor, outputs: Tensor) -> Tensor:
        """`outputs` = affine(inputs), whose backward shares the relevance of the bias among its taps."""
        if affine.bias is None:
            return outputs
        if affine.is_pointwise:
            return self.pointwise(affine.bias, 1, inputs, outputs)
        return self._with_bias(affine.bias.detach(), 1, inputs, outputs, partial(self._by_tap, affine))

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """`outputs` = W `inputs` + bias at each position, channels on `axis`: one tap, which has all of the bias."""
        by_tap = partial(self.decomposed, channels=(axis,))
        return self._with_bias(bias.detach(), axis, inputs, outputs, by_tap)

    def constant(self, outputs: Tensor, constant: Tensor) -> Tensor:
        """`outputs`, whose backward counts as lost what belongs to the `constant` part of it."""
        return self._ruled(lambda g: (self._losing(g, constant * g),), outputs)

    def held(self, tensor: Tensor) -> Tensor:
        """`tensor`, whose backward ends here while it is held constant."""
        held: Tensor = _Held.apply(lambda: self._is_holding, tensor)
        return held

    def started(
        self, before: Tensor, after: Tensor, gradient: Tensor, relevance: Tensor, channels: tuple[int, ...]
    ) -> Tensor:
        """The signal at `before` with which `relevance` sets out from an activation, where the `gradient` is given."""
        return self.decomposed(before, relevance, channels)

    def decomposed(self, vectors: Tensor, relevance: Tensor, channels: tuple[int, ...]) -> Tensor:
        """X R / ||X||^2; the relevance of a vector that is 0 is lost."""
        squares = inner(vectors, vectors, channels)
        self._lose(relevance * (squares == 0))
        return vectors * safe_ratio(relevance, squares)

    def _ruled(self, rule: Rule, outputs: Tensor, *kept: Tensor) -> Tensor:
        def switched(g: Tensor, *saved: Tensor) -> tuple[Tensor | None, ...]:
            return rule(g, *saved) if self._is_propagating else (g, *[None] * len(saved))

        ruled: Tensor = _Ruled.apply(switched, outputs, *kept)
        return ruled

    def _through_activation(self, channels: tuple[int, ...], before: Tensor, after: Tensor, g: Tensor) -> Tensor:
        return self.decomposed(before, inner(after, g, channels), channels)

    def _with_bias(
        self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor, by_tap: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """`by_tap` makes of the inputs and of the bias's relevance what the inputs receive of it."""
        if self._bias == "drop":
            return self._ruled(lambda g: (self._losing(g, along(g, bias, axis)),), outputs)
        if self._bias == "ratio":
            return self._ruled(lambda g, y: (self._by_ratio(bias, axis, y, g), None), outputs, outputs)
        return self._ruled(lambda g, x: (g, by_tap(x, along(g, bias, axis))), outputs, inputs)

    def _by_ratio(self, bias: Tensor, axis: int, outputs: Tensor, g: Tensor) -> Tensor:
        """g + u <b, g> / ||u||^2, u = outputs - b; g alone where u is mere rounding, where all taps read 0."""
        share = along(g, bias, axis)
        bias = bias.reshape(-1, *[1] * (g.dim() - 1 - axis))
        squares = torch.cat([inner(u, u, (axis,)) for u in (row - bias for row in outputs.split(1))])
        is_noise = squares <= (16 * torch.finfo(squares.dtype).eps) ** 2 * bias.square().sum()
        self._lose(share * is_noise)
        ratio = torch.where(is_noise, 0, share / torch.where(is_noise, 1, squares))
        return torch.addcmul(g, outputs, ratio).addcmul_(bias, ratio, value=-1)

    def _by_tap(self, affine: Affine, inputs: Tensor, share: Tensor) -> Tensor:
        weights = affine.tap_norms(inputs) if self._bias == "norm" else affine.tap_presence(inputs)
        totals = weights.sum(1, keepdim=True)
        self._lose(share * (totals == 0))
        received = affine.scatter(weights * safe_ratio(share, totals), inputs.shape[2:])
        return inputs * safe_ratio(received, inner(inputs, inputs, (1,)))

    def lost(self, n_rows: int) -> Tensor | float:
        """Relevance that found no source, per row of the batch, (n_rows,), or 0.

        NaN if it was lost where axis 0 holds something else than the rows, split further or not.
        """
        return sum((_per_row(relevance, n_rows) for relevance in self._lost), 0.0)

    def _losing(self, g: Tensor, relevance: Tensor) -> Tensor:
        self._lose(relevance)
        return g

    def _lose(self, relevance: Tensor) -> None:
        self._lost.append(relevance.detach().flatten(1).sum(1))


def _per_row(relevance: Tensor, n_rows: int) -> Tensor:
    if len(relevance) % n_rows:
        return relevance.new_full((n_rows,), torch.nan)
    return relevance.reshape(n_rows, -1).sum(1)


class _Ruled(torch.autograd.Function):
    """Identity on `outputs` with a replaceable backward, which is itself differentiable by what it has `kept`.

    Keeping the derivative of `outputs` at hand is needed where an attack on a map differentiates what a rule has kept,
    and must not meet the rule again on its way down.
    """

    @staticmethod
    def forward(ctx: Any, rule: Rule, outputs: Tensor, *kept: Tensor) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward(*kept)
        return outputs.view_as(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *ctx.rule(gradients[0], *ctx.saved_tensors))


class _Held(torch.autograd.Function):
    """Identity whose backward is 0 while `is_held` says so."""

    @staticmethod
    def forward(ctx: Any, is_held: Callable[[], bool], tensor: Tensor) -> Tensor:
        ctx.is_held = is_held
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None]:
        return None, None if ctx.is_held() else gradients[0]
