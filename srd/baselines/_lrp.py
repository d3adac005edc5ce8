"""Common parts of layer-wise relevance propagation: the rule z+, and the propagation from the logit to the pixels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from srd.affine import Affine
from srd.baselines._backward import OwnRules, backward_from_scores
from srd.decomposition import Decomposition
from srd.entries import DeclaredRule
from srd.functions import Elementwise, pull_back
from srd.interception import Interception
from srd.lost_relevance import LostRelevance
from srd.passes import evaluating, leaf, scores_of
from srd.provenance import Source
from srd.targets import target_of_each_row
from srd.types import AnyTarget, Inputs, Maps, Scores, Target


class LinearMap(NamedTuple):
    """A convolution or linear layer without its bias, for any weight of the same shape."""

    weight: Tensor
    forward: Callable[[Tensor, Tensor], Tensor]
    """(inputs, weight) -> outputs."""
    apply_transpose: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(signal at the outputs, inputs, weight) -> signal at the inputs."""
    lose: Callable[[Tensor, Tensor], None]
    """(relevance of each output, its positive contributions): count it as lost where there are none."""

    def share_positively(self, by_value: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Return the relevance by value at the inputs, from that at the outputs, by the rule z+."""
        positive, negative = self.weight.clamp(min=0), self.weight.clamp(max=0)
        contributions = self.forward(inputs.clamp(min=0), positive) + self.forward(inputs.clamp(max=0), negative)
        relevance = by_value * outputs
        self.lose(relevance, contributions)
        share = relevance / contributions.masked_fill(contributions <= 0, torch.inf)
        of_both = self.apply_transpose(share, inputs, positive), self.apply_transpose(share, inputs, negative)
        return torch.where(inputs > 0, *of_both)


class PositiveShares(Function):
    """Outputs of a linear map with a bias, whose backward pass is z+ while relevance is propagated, else ordinary.

    The backward pass carries relevance by value, m = R / y, which all else propagates as it propagates gradients.
    """

    @staticmethod
    def forward(
        ctx: Any, is_propagating: Callable[[], bool], linear: LinearMap, outputs: Callable[[], Tensor], inputs: Tensor
    ) -> Tensor:
        ctx.is_propagating, ctx.linear = is_propagating, linear
        result = outputs()
        ctx.save_for_backward(result, inputs)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None, Tensor]:
        (outputs, inputs), linear = ctx.saved_tensors, ctx.linear
        if ctx.is_propagating():
            return None, None, None, linear.share_positively(gradients[0], outputs, inputs)
        return None, None, None, linear.apply_transpose(gradients[0], inputs, linear.weight)


class PositiveContributions(OwnRules):
    """The rule z+ for convolutions and linear layers. Activations hand their relevance on unchanged.

    Activations that do not only reduce their input, such as softplus in place of ReLU, use their derivative instead.
    """

    def affine(self, affine: Affine, outputs: Callable[[], Tensor], inputs: Tensor, source: Source) -> Tensor:
        """Return the outputs of a convolution, with the rule z+."""
        weight = affine.weight
        if affine.scale is not None:
            weight = weight * affine.scale[:, None, None, None]
        geometry = affine.stride, affine.padding, affine.dilation, affine.groups
        linear = LinearMap(
            weight,
            lambda x, w: functional.conv2d(x, w, None, *geometry),
            lambda g, x, w: replace(affine, weight=w, scale=None).apply_transpose(g, (x.shape, x.stride())),
            self._lose,
        )
        return self._apply_linear(linear, outputs, inputs, affine.parameters)

    def linear(self, function: Callable[..., Tensor], inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the outputs of a linear layer, with the rule z+."""
        linear = LinearMap(weight, functional.linear, lambda g, _, w: g @ w, self._lose)
        return self._apply_linear(linear, partial(function, inputs, weight, bias), inputs, (weight, bias))

    def _apply_linear(
        self, linear: LinearMap, outputs: Callable[[], Tensor], inputs: Tensor, weights: Sequence[Tensor | None]
    ) -> Tensor:
        if self.differentiates(*weights):
            made = outputs()
            return self._with_backward(partial(self._share_by_z_plus, linear), made, made, inputs)
        shared: Tensor = PositiveShares.apply(lambda: self._is_propagating, linear, outputs, inputs)
        return shared

    def _share_by_z_plus(
        self, linear: LinearMap, g: Tensor, outputs: Tensor, inputs: Tensor
    ) -> tuple[Tensor | None, None, Tensor | None]:
        if self._is_propagating:
            return None, None, linear.share_positively(g, outputs, inputs)
        return g, None, None

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        kept = phi(before) / torch.where(before == 0, torch.nan, before)
        lessens = (kept >= 0) & (kept <= 1)
        pulled = pull_back(phi, before, g)
        self._lose((phi(before) * g - before * pulled).masked_fill(lessens, 0))
        return torch.where(lessens, g * torch.where(lessens, kept, 0), pulled)

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return the outputs of a normalisation, whose bias keeps its share of the relevance."""
        if self._lost is None:
            return outputs
        shift = bias.detach().reshape(-1, *[1] * (outputs.dim() - 1 - axis))

        def rule(by_value: Tensor) -> tuple[Tensor]:
            if self._is_propagating:
                self._lose(by_value * shift)
            return (by_value,)

        return self._with_backward(rule, outputs)


def relevance_map(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    rules: OwnRules,
    operations: Mapping[str, DeclaredRule],
    *,
    create_graph: bool,
) -> Maps:
    """Return the relevance that the rules bring to each pixel, summed over channels. The target's logit starts with 1.

    Raises
    ------
    UnsupportedOperation
        An operation has no rule and is not declared by `operations`.
    """
    maps, _ = _propagate(network, inputs, target, rules, operations, create_graph=create_graph)
    return maps if create_graph else maps.detach()


def balance(
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
    rules_that_count: Callable[[LostRelevance], OwnRules],
    operations: Mapping[str, DeclaredRule],
) -> Decomposition:
    """Return the maps of `relevance_map` with the relevance of the logit and the relevance that was lost."""
    losses = LostRelevance()
    rows = target_of_each_row(target, inputs)
    maps, scores = _propagate(network, inputs, rows, rules_that_count(losses), operations, create_graph=False)
    lost = torch.zeros(len(maps)).to(maps) + losses.total(len(maps))
    return Decomposition(maps.detach(), (scores * _one_by_value(scores)).detach(), lost.detach())


def _propagate(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    rules: OwnRules,
    operations: Mapping[str, DeclaredRule],
    *,
    create_graph: bool,
) -> tuple[Maps, Scores]:
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        trace = Interception(inputs, rules, operations)
        logits = trace.logits_of(network)
        trace.refuse_unknown_anywhere(logits)
        scores = scores_of(logits, target)
        by_value = backward_from_scores(scores, inputs, rules, _one_by_value, create_graph=create_graph)
        return (inputs * by_value).sum(1), scores


def _one_by_value(scores: Scores) -> Tensor:
    """Return 1 / y: the relevance by value whose relevance is 1."""
    return torch.where(scores == 0, 1, scores).reciprocal()
