"""FullGrad: gradients times the inputs and the biases of every layer, which add up to the logit of a ReLU network."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from srd.affine import Affine
from srd.baselines._backward import OwnRules
from srd.baselines._features import stretch
from srd.entries import AttributorEntry, DeclaredRule
from srd.errors import UnsupportedOperation
from srd.interception import NOTHING_DECLARED, Interception
from srd.passes import evaluating, leaf, scores_of
from srd.provenance import Source
from srd.types import Generators, Inputs, Maps, Target
from srd.upsampling import upsample
from srd.vectors import on_grid, position_axes

ENTRY = AttributorEntry(
    name="full_grad",
    title="FullGrad",
    source="srd.baselines.full_grad:full_grad",
    family="gradient",
    signed=False,
    cost="1 forward, 1 backward",
    needs=("operations",),
    reference="Srinivas, Fleuret, NeurIPS 2019",
)


class BiasedLayer(NamedTuple):
    """The outputs of a layer that adds a bias on the channel axis."""

    outputs: Tensor
    bias: Tensor
    axis: int


class Biases(OwnRules):
    """The ordinary backward pass; records the layers that add a bias to more than one position."""

    def __init__(self, *, by_weights: bool) -> None:
        super().__init__(by_weights=by_weights)
        self.found: list[BiasedLayer] = []

    def affine(self, affine: Affine, outputs: Callable[[], Tensor], inputs: Tensor, source: Source) -> Tensor:
        """Run a convolution, with the batch norm after it if there is one."""
        result = super().affine(affine, outputs, inputs, source)
        return result if affine.bias is None else self._note(BiasedLayer(result, affine.bias, 1))

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Record a linear layer or a normalisation."""
        return self._note(BiasedLayer(outputs, bias, axis))

    def _note(self, biased: BiasedLayer) -> Tensor:
        if any(biased.outputs.shape[axis] > 1 for axis in position_axes(biased.outputs, (biased.axis,))):
            self.found.append(biased)
        return biased.outputs


def full_grad(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the sum over channels of psi(inputs x gradient), and over all layers' channels of psi(bias x gradient).

    psi takes the magnitude, stretches it to [0, 1] for each channel and upsamples it bilinearly. A convolution and the
    batch norm after it have one common bias. Biases of single positions, as in a classifier's head, have no place in a
    map. Maps are non-negative. `operations` are those of `srd.decompose`.

    Raises
    ------
    UnsupportedOperation
        Positions lie in windows, or an operation may hide an activation or a layer.

    References
    ----------
    Srinivas and Fleuret 2019, eq. 8.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        rules = Biases(by_weights=create_graph)
        trace = Interception(inputs, rules, operations)
        logits = trace.logits_of(network)
        trace.refuse_hidden_activations(logits)
        scores = scores_of(logits, target)
        read = [inputs, *(layer.outputs for layer in rules.found)]
        at_inputs, *at_outputs = torch.autograd.grad(
            scores.sum(), read, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        maps = _psi(inputs * at_inputs, 1)
        for layer, gradient in zip(rules.found, at_outputs, strict=True):
            axes = [1] * (gradient.dim() - 1 - layer.axis)
            psi = _psi(layer.bias.reshape(-1, *axes) * gradient, layer.axis)
            _refuse_windows(psi, inputs, are_tokens=layer.axis != 1)
            n_prefix = trace.prefix_tokens.among(psi.shape[1])
            maps = maps + upsample(on_grid(psi, *inputs.shape[2:], n_prefix=n_prefix), inputs.shape[2:])
    return maps if create_graph else maps.detach()


def _refuse_windows(values: Tensor, inputs: Inputs, *, are_tokens: bool) -> None:
    """Refuse windows, which lie in the batch or beside tokens. A grid of tokens has the proportions of the inputs."""
    height, width = inputs.shape[2:]
    on_axes = are_tokens and values.dim() == 3
    are_beside = on_axes and abs(values.shape[1] * width - values.shape[2] * height) > height + width
    if len(values) != len(inputs) or values.dim() > 3 or are_beside:
        raise UnsupportedOperation(f"biases at {tuple(values.shape)} positions of {len(inputs)} rows (windows?)")


def _psi(products: Tensor, channels: int) -> Tensor:
    """Return the sum over channels of each one's magnitude, stretched to [0, 1] over its positions."""
    return stretch(products.abs(), position_axes(products, (channels,))).sum(channels)
