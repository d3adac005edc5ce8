"""DeepLIFT: what differs from a baseline in the logit, shared out by what differs in every activation."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from srd.affine import Affine
from srd.baselines._backward import OwnRules, backward
from srd.entries import AttributorEntry
from srd.functions import AffineRule, Elementwise, Windows, pulled_back
from srd.passes import evaluating, leaf
from srd.provenance import Source
from srd.rules import NO_BIAS
from srd.types import Generators, Inputs, Maps, Scores, Target

ENTRY = AttributorEntry(
    name="deep_lift",
    title="DeepLIFT",
    source="srd.baselines.deep_lift:deep_lift",
    family="gradient",
    signed=True,
    cost="2 forward, 2 backward",
    needs=("baseline",),
    reference="Shrikumar, Greenside, Kundaje, ICML 2017",
)


class Rescale(OwnRules):
    """The rule of that name: an activation multiplies by a ratio of differences in place of its derivative.

    Axis 0 holds the rows, which have a signal, and after them in the same order their baselines, which have none.
    """

    def held(self, tensor: Tensor) -> Tensor:
        """Nothing is held constant."""
        return tensor

    def max_pool(self, inputs: Tensor, windows: Windows) -> Tensor:
        """Maxima, whose difference goes to where the larger of row and baseline lies, over the difference there."""
        pooled, indices = functional.max_pool2d(inputs, *windows, return_indices=True)

        def rule(g: Tensor, inputs: Tensor, pooled: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
            if not self._is_propagating:
                return g, None, None
            signal, (row, baseline) = g.chunk(2)[0], pooled.chunk(2)
            largest = torch.maximum(row, baseline)
            differences = torch.cat([signal * (largest - baseline), signal * (row - largest)])
            supplied = windows.unpooled(differences, indices, inputs).chunk(2)
            plain = windows.unpooled(g, indices, inputs).chunk(2)[0]
            difference = torch.sub(*inputs.chunk(2))
            ratio = torch.where(difference == 0, plain, torch.add(*supplied) / _not_zero(difference))
            return None, torch.cat([ratio, torch.zeros_like(ratio)]), None

        return self._marked(rule, pooled, inputs, pooled)

    def _convolution_rule(self, affine: Affine, bias: Tensor, source: Source) -> AffineRule:
        return NO_BIAS

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        row, baseline = before.chunk(2)
        middle, difference = (row + baseline) / 2, row - baseline
        is_rounding = difference.abs() <= torch.finfo(before.dtype).eps ** 0.5 * (row.abs() + baseline.abs())
        slope = pulled_back(phi, middle, torch.ones_like(middle))
        ratio = (phi(row) - phi(baseline)) / _not_zero(difference)
        return g * torch.where(is_rounding, slope, ratio).repeat(2, *[1] * (g.dim() - 1))


def deep_lift(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    baseline: Tensor | None = None,
    create_graph: bool = False,
) -> Maps:
    """What each pixel's difference from `baseline` contributes to the logit's, summed over channels, signed.

    The rescale rule (Shrikumar et al. 2017, eq. 3 and section 3.5.1) in activations, that for the maxima of row and
    baseline in max pooling; all else by its derivative. Where only those and affine maps are, a map's sum is the
    difference of the logits. `baseline` broadcasts to `inputs`; 0 by default, as for Integrated Gradients.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        start = torch.zeros_like(inputs) if baseline is None else baseline.to(inputs).expand_as(inputs)
        both = torch.cat([inputs, start])
        multipliers = backward(network, both, target.repeat(2), Rescale(), _of_rows, create_graph=create_graph)
        maps = ((inputs - start) * multipliers[: len(inputs)]).sum(1)
    return maps if create_graph else maps.detach()


def _of_rows(scores: Scores) -> Tensor:
    """1 for each row, 0 for its baseline."""
    row, baseline = scores.chunk(2)
    return torch.cat([torch.ones_like(row), torch.zeros_like(baseline)])


def _not_zero(difference: Tensor) -> Tensor:
    return torch.where(difference == 0, 1, difference)
