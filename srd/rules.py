"""The rules of SRD, as backward passes that replace the ordinary ones while relevance is propagated.

Instead of R_j, the backward pass carries G_j = X_j R_j / ||X_j||^2. An affine map then hands on g_i = W^T G, its
ordinary backward pass, and R_i = <x_i, g_i> + B_i. B_i is the relevance of biases. It goes straight to the activation
that made the vectors, through `bias_relevance`. Where no activation made them, x_i B_i / ||x_i||^2 is added to g_i.
Only activations (Han et al. 2024, eq. 4-6), biases and what is held constant need a rule.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from srd.affine import Affine
from srd.functions import (
    Activation,
    AffineRule,
    Convolution,
    Elementwise,
    GradientShare,
    HeldConstant,
    Keeps,
    Linear,
    MaxPool,
    ReplacedBackward,
    Rule,
    ScaledVectors,
    Windows,
)
from srd.lost_relevance import LostRelevance
from srd.precision import Products, in_type
from srd.provenance import Source
from srd.vectors import along, by_parts, inner, safe_ratio, sum_channels

Bias = Literal["norm", "ratio", "uniform", "drop"]
KEPT: Mapping[Bias, Keeps] = MappingProxyType(
    {"norm": "source", "ratio": "outputs", "uniform": "source", "drop": "nothing"}
)
"""Tensor that each rule must see again."""
NO_BIAS = AffineRule("nothing", lambda g, _: GradientShare(g))
Sharing = Callable[[Tensor, Any, Tensor], GradientShare]
"""(gradient, saved tensor, relevance of the bias at each position) -> where the gradient goes."""


class SharingRatio:
    """Rules of one backward pass. Outside of `holding` and `propagating` every gradient is the ordinary one.

    Parameters
    ----------
    bias
        How the relevance of biases is divided.
    lost
        Collects the relevance that is lost.
    products
        Types in which products are made.
    by_weights
        Keep what the backward pass needs to be itself differentiable by the weights that require grad.

    Raises
    ------
    ValueError
        The `bias` is unknown.
    """

    def __init__(
        self,
        bias: Bias,
        lost: LostRelevance | None = None,
        products: Products | None = None,
        *,
        by_weights: bool = False,
    ) -> None:
        if bias not in get_args(Bias):
            raise ValueError(f"bias {bias!r} is not one of {', '.join(get_args(Bias))}")
        self._bias = bias
        self.by_weights = by_weights
        self.products = products or Products()
        self._is_holding = False
        self._is_propagating = False
        self._lost = lost

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let backward passes treat what is held as constant, as those through the head do."""
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False

    @contextmanager
    def propagating(self) -> Iterator[None]:
        """Let backward passes propagate relevance, as those through the encoder do."""
        self._is_propagating = True
        try:
            with self.holding():
                yield
        finally:
            self._is_propagating = False

    def activation(self, phi: Elementwise, before: Tensor, channels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return phi(X), X = `before`, and a tensor whose gradient is the bias relevance B.

        The backward pass hands X (<phi(X), g> + B) / ||X||^2 on.
        """

        def rule(x: Tensor, g: Tensor, received: Tensor | None) -> Tensor | None:
            return self._through_activation(x, phi, g, received, channels) if self._is_propagating else None

        positions = tuple(1 if axis in channels else size for axis, size in enumerate(before.shape))
        after, bias_relevance = Activation.apply(rule, phi, before, positions)
        return after, bias_relevance

    def affine(self, affine: Affine, outputs: Callable[[], Tensor], inputs: Tensor, source: Source) -> Tensor:
        """Return the `outputs` of a convolution, whose backward pass shares the relevance of the bias among its taps.

        The `inputs` are computed again from their `source`.
        """
        rule = NO_BIAS if affine.bias is None else self._convolution_rule(affine, affine.bias, source)
        if self.differentiates(*affine.parameters):
            return self._with_affine_rule(rule, outputs(), inputs, source)
        rule = rule._replace(dtype=self.products.relevance)
        ruled: Tensor = Convolution.apply(rule, affine, outputs, inputs, source.before, source.bias_relevance)
        return ruled

    def differentiates(self, *weights: Tensor | None) -> bool:
        """Return whether these weights of one layer are variables, not constants."""
        return self.by_weights and any(weight is not None and weight.requires_grad for weight in weights)

    def linear(self, function: Callable[..., Tensor], inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the outputs of a linear layer, which the `function` computes from the other arguments."""
        if self.products == Products() or self.differentiates(weight, bias):
            outputs: Tensor = in_type(function, self.products.network)(inputs, weight, bias)
        else:
            outputs = Linear.apply(self.products, function, inputs, weight, bias)
        return outputs if bias is None else self.pointwise(bias, outputs.dim() - 1, inputs, outputs)

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return `outputs` = W `inputs` + bias at each position, with channels on `axis`.

        The one tap has all of the bias.
        """

        def by_position(g: Tensor, inputs: Tensor, share: Tensor) -> GradientShare:
            return GradientShare(g, added=self._scaled_vectors((axis,), inputs, share))

        rule = self._bias_rule(bias, axis, by_position)
        kept = {"outputs": (outputs,), "source": (inputs,), "nothing": ()}[rule.keeps]

        def backward(g: Tensor, *saved: Tensor) -> tuple[Tensor | None, ...]:
            g, added, _ = rule.of(g, *(saved or [None]))
            return (g, *(None if added is None else added[0] * added[1] for _ in saved))

        return self._with_backward(backward, outputs, *kept)

    def _with_affine_rule(self, rule: AffineRule, outputs: Tensor, inputs: Tensor, source: Source) -> Tensor:
        """Return `outputs` with the rule of the bias applied before their ordinary backward pass."""
        kept = {"outputs": outputs, "source": source.before, "nothing": None}[rule.keeps]

        def backward(g: Tensor, kept: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
            g, added, bias_relevance = rule.of(g, kept)
            return g, None, None if added is None else added[0] * added[1], bias_relevance

        return self._with_backward(backward, outputs, kept, inputs, source.bias_relevance)

    def max_pool(self, inputs: Tensor, windows: Windows) -> Tensor:
        """Return the largest value of each window; the relevance of the window goes to this value."""
        pooled: Tensor = MaxPool.apply(inputs, windows)
        return pooled

    def constant(self, outputs: Tensor, constant_part: Callable[[], Tensor]) -> Tensor:
        """Return `outputs`, whose backward pass counts the relevance of their constant part as lost."""
        if self._lost is None:
            return outputs
        constant = constant_part()

        def rule(g: Tensor) -> tuple[Tensor]:
            if self._is_propagating:
                relevance = (constant * g).masked_fill(g == 0, 0)  # memory that is never read may hold anything
                self._lose(relevance.flatten(1).sum(1, keepdim=True))
            return (g,)

        return self._with_backward(rule, outputs)

    def hold_constant(self, tensor: Tensor) -> Tensor:
        """Return `tensor`, at which backward passes end while it is held constant."""
        held: Tensor = HeldConstant.apply(lambda: self._is_holding, tensor)
        return held

    def starting_signal(
        self, before: Tensor, after: Tensor, gradient: Tensor, relevance: Tensor, channels: tuple[int, ...]
    ) -> Tensor:
        """Return the signal at `before` with which `relevance` starts from an activation with the given `gradient`."""
        return self.relevance_signal(before, relevance, channels)

    def relevance(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        """Return <phi(X), g> plus the relevance `received` besides, which is lost where phi(X) is 0."""
        if received is None:
            return by_parts(lambda x, g: inner(phi(x), g, channels), channels, before, g)

        def products(x: Tensor, g: Tensor) -> Tensor:
            after = phi(x)
            return torch.stack([inner(after, g, channels), inner(after, after, channels)], -1)

        products_with_g, squares = by_parts(products, channels, before, g).unbind(-1)
        self._lose(received, squares)
        return products_with_g + received.masked_fill(squares <= 0, 0)

    def relevance_signal(self, vectors: Tensor, relevance: Tensor, channels: tuple[int, ...]) -> Tensor:
        """Return X R / ||X||^2. The relevance of a vector that is 0 is lost."""
        vectors, ratio = self._scaled_vectors(channels, vectors, relevance)
        return vectors * ratio

    def _with_backward(self, rule: Rule, outputs: Tensor, *kept: Tensor | None) -> Tensor:
        ruled: Tensor = ReplacedBackward.apply(rule, outputs, *kept)
        return ruled

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        return self.relevance_signal(before, self.relevance(before, phi, g, received, channels), channels)

    def _bias_rule(self, bias: Tensor, axis: int, otherwise: Sharing) -> AffineRule:
        """Return the rule for "ratio" or "drop", else `otherwise`, which is the rule for "norm" and "uniform"."""
        known: dict[str, Sharing] = {"ratio": partial(self._share_by_ratio, bias, axis), "drop": self._share_nothing}
        return self._rule(KEPT[self._bias], bias, axis, known.get(self._bias, otherwise))

    def _convolution_rule(self, affine: Affine, bias: Tensor, source: Source) -> AffineRule:
        if affine.has_lone_tap and source.bias_relevance is not None and self._bias != "drop":
            size = source.before.shape[2:]
            return self._rule(
                "nothing", bias, 1, lambda g, _, share: GradientShare(g, bias_relevance=affine.scatter(share, size))
            )
        shared = self._share_with_inputs if source.bias_relevance is None else self._share_with_activation
        return self._bias_rule(bias, 1, partial(shared, affine, source.phi))

    def _rule(self, keeps: Keeps, bias: Tensor, axis: int, shared: Sharing) -> AffineRule:
        if not self.differentiates(bias):
            bias = bias.detach()  # torch multiplies in another order where it may have to differentiate

        def of(g: Tensor, kept: Tensor | None) -> GradientShare:
            return shared(g, kept, along(g, bias, axis)) if self._is_propagating else GradientShare(g)

        return AffineRule(keeps, of)

    def _share_nothing(self, g: Tensor, kept: None, share: Tensor) -> GradientShare:
        self._lose(share)
        return GradientShare(g)

    def _share_by_ratio(self, bias: Tensor, axis: int, g: Tensor, outputs: Tensor, share: Tensor) -> GradientShare:
        """Return g + u <b, g> / ||u||^2, u = outputs - b.

        It is g alone where u is no more than rounding, because all taps read 0.
        """
        bias = bias.reshape(-1, *[1] * (g.dim() - 1 - axis))
        noise = (16 * torch.finfo(bias.dtype).eps) ** 2 * bias.square().sum()
        squares = by_parts(lambda y: sum_channels((y - bias).square(), (axis,)), (axis,), outputs)
        squares = squares.masked_fill(squares <= noise, 0)
        self._lose(share, squares)
        ratio = safe_ratio(share, squares)
        return GradientShare(torch.addcmul(g, outputs, ratio).addcmul_(bias, ratio, value=-1))

    def _share_with_activation(
        self, affine: Affine, phi: Elementwise, g: Tensor, before: Tensor, share: Tensor
    ) -> GradientShare:
        return GradientShare(g, bias_relevance=self._bias_relevance(affine, phi(before), share))

    def _share_with_inputs(
        self, affine: Affine, phi: Elementwise, g: Tensor, before: Tensor, share: Tensor
    ) -> GradientShare:
        inputs = phi(before)
        return GradientShare(g, added=self._scaled_vectors((1,), inputs, self._bias_relevance(affine, inputs, share)))

    def _scaled_vectors(self, channels: tuple[int, ...], vectors: Tensor, relevance: Tensor) -> ScaledVectors:
        squares = inner(vectors, vectors, channels)
        self._lose(relevance, squares)
        return vectors, safe_ratio(relevance, squares)

    def _bias_relevance(self, affine: Affine, inputs: Tensor, share: Tensor) -> Tensor:
        """Return the relevance of the bias at each position of the inputs. A lone tap has all of it."""
        size = inputs.shape[2:]
        if affine.has_lone_tap:
            return affine.scatter(share, size)
        if self._bias == "norm":
            weights = affine.tap_norms(inputs, self.products.relevance)
        else:
            weights = affine.tap_presence(inputs)
        totals = weights.sum(1, keepdim=True)
        self._lose(share, totals)
        return affine.scatter(weights * safe_ratio(share, totals), size)

    def _lose(self, relevance: Tensor, unless: Tensor | None = None) -> None:
        if self._lost is not None:
            self._lost.add(relevance, unless)
