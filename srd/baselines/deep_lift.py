"""DeepLIFT: the difference of the logit from that of a baseline, divided by the differences of every activation."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from srd.affine import pair
from srd.baselines._backward import OwnActivations, backward
from srd.entries import AttributorEntry, DeclaredRule
from srd.errors import UnsupportedOperation
from srd.functions import Elementwise, Windows, pull_back
from srd.interception import NOTHING_DECLARED
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Scores, Target

ENTRY = AttributorEntry(
    name="deep_lift",
    title="DeepLIFT",
    source="srd.baselines.deep_lift:deep_lift",
    family="gradient",
    signed=True,
    law="completeness",
    cost="2 forward, 2 backward",
    needs=("baseline", "operations"),
    reference="Shrikumar, Greenside, Kundaje, ICML 2017",
)


ROUNDED = 32  # sums of equal numbers may differ by so many units in the last place


class Rescale(OwnActivations):
    """The rescale rule: an activation multiplies by a ratio of differences in place of its derivative.

    Axis 0 holds the rows, which have a signal, and after them, in the same order, their baselines, which have none.
    """

    def max_pool(self, inputs: Tensor, windows: Windows) -> Tensor:
        """Return the maxima. Their difference goes to the place of the larger value of row and baseline.

        It is divided by the difference at this place. Equal values share it: with a uniform baseline, nearly all
        windows hold equal values.
        """

        def rule(g: Tensor, inputs: Tensor, pooled: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
            if not self._is_propagating:
                return g, None, None
            read = _unfold(windows, inputs, pooled.shape[2:])
            shares = _of_rows(g)[:, :, None] * _share(*read.chunk(2), *pooled[:, :, None].chunk(2))
            pulled = _fold(windows, shares, inputs.shape[2:])
            return None, torch.cat([pulled, torch.zeros_like(pulled)]), None

        pooled = functional.max_pool2d(inputs, *windows)
        return self._with_backward(rule, pooled, inputs, pooled)

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        signal, (row, baseline) = _of_rows(g), before.chunk(2)
        middle = (row + baseline) / 2
        slope = pull_back(phi, middle, torch.ones_like(middle))
        ratio = (phi(row) - phi(baseline)) / _not_zero(row - baseline)
        cancels = _are_close(row, baseline, torch.finfo(before.dtype).eps ** 0.5)
        pulled = signal * torch.where(cancels, slope, ratio)
        return torch.cat([pulled, torch.zeros_like(pulled)])


def deep_lift(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    baseline: Tensor | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the contribution of each pixel's difference from `baseline` to the difference of the logit.

    Contributions are signed and summed over channels. Activations use the rescale rule, max pooling the rule for the
    maxima of row and baseline, and all else its derivative. Where a network has nothing else but affine maps, the sum
    of a map is the difference of the logits.

    Parameters
    ----------
    baseline
        Broadcasts to `inputs`; 0 by default, as for Integrated Gradients.
    operations
        Those of `srd.decompose`.

    Raises
    ------
    UnsupportedOperation
        The first axis of a layer does not hold the rows, or an operation may hide an activation.

    References
    ----------
    Shrikumar et al. 2017, eq. 3 and section 3.5.1.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        start = torch.zeros_like(inputs) if baseline is None else baseline.to(inputs).expand_as(inputs)
        both = torch.cat([inputs, start])
        multipliers = backward(
            network,
            both,
            target.repeat(2),
            Rescale(by_weights=create_graph),
            _one_for_each_row,
            operations,
            create_graph=create_graph,
        )
        maps = ((inputs - start) * multipliers[: len(inputs)]).sum(1)
    return maps if create_graph else maps.detach()


def _one_for_each_row(scores: Scores) -> Tensor:
    """Return 1 for each row and 0 for its baseline."""
    row, baseline = scores.chunk(2)
    return torch.cat([torch.ones_like(row), torch.zeros_like(baseline)])


def _of_rows(signal: Tensor) -> Tensor:
    """Return the signal of the rows, without that of the baselines.

    The signal of the baselines is 0 where the second half of axis 0 holds them.
    """
    if len(signal) % 2 or signal.chunk(2)[1].any():
        raise UnsupportedOperation("DeepLIFT in a layer whose first axis does not hold the rows of the batch")
    return signal.chunk(2)[0]


def _share(row: Tensor, baseline: Tensor, highest: Tensor, reference: Tensor) -> Tensor:
    """Return the share of each place of a window, (n, c, places, h, w); maxima have 1 place."""
    values = torch.where(highest >= reference, row, baseline)
    rounding = ROUNDED * torch.finfo(values.dtype).eps
    holds = _are_close(values, torch.maximum(highest, reference), rounding).to(values.dtype)
    ratio = ((highest - reference) / _not_zero(row - baseline)).clamp(0, 1)
    return holds / holds.sum(2, keepdim=True) * torch.where(_are_close(row, baseline, rounding), 1, ratio)


def _unfold(windows: Windows, inputs: Tensor, made: torch.Size) -> Tensor:
    """Return the inputs of each output of a pooling, (n, c, places, *made); beyond the border the lowest number."""
    padded = functional.pad(inputs, _padding(windows, inputs.shape[2:], made), value=torch.finfo(inputs.dtype).min)
    read = functional.unfold(padded, windows.kernel, windows.dilation, 0, windows.stride)
    return read.reshape(*inputs.shape[:2], -1, *made)


def _fold(windows: Windows, parts: Tensor, size: torch.Size) -> Tensor:
    """Return the sum of each input's parts in all windows, (n, c, *size)."""
    left, right, top, bottom = _padding(windows, size, parts.shape[3:])
    padded = (size[0] + top + bottom, size[1] + left + right)
    summed = functional.fold(
        parts.flatten(1, 2).flatten(2), padded, windows.kernel, windows.dilation, 0, windows.stride
    )
    inside: Tensor = summed[:, :, top : top + size[0], left : left + size[1]]
    return inside


def _padding(windows: Windows, size: torch.Size, made: torch.Size) -> tuple[int, int, int, int]:
    """Return left, right, top, bottom: enough for every window to be whole."""
    geometry = zip(*map(pair, windows[:4]), size, made, strict=True)
    (top, bottom), (left, right) = (
        (padding, max(0, (n - 1) * stride + dilation * (kernel - 1) + 1 - side - padding))
        for kernel, stride, padding, dilation, side, n in geometry
    )
    return left, right, top, bottom


def _are_close(a: Tensor, b: Tensor, tolerance: float) -> Tensor:
    return (a - b).abs() <= tolerance * (a.abs() + b.abs())


def _not_zero(difference: Tensor) -> Tensor:
    return torch.where(difference == 0, 1, difference)
