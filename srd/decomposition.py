"""Sharing Ratio Decomposition (Han, Kim, Kwak, ICLR 2024) in one modified backward pass."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.entries import Meaning
from srd.interception import NOTHING_DECLARED
from srd.ledger import Ledger
from srd.passes import evaluating, leaf
from srd.precision import Precision
from srd.propagation import Contrast, Propagation, Start
from srd.rules import Bias, SharingRatio
from srd.types import Generators, Inputs, Maps, Scores, Target


@dataclass(frozen=True)
class Decomposition:
    """A map with its books: sum(initial) = sum(map) + lost, up to rounding."""

    maps: Maps
    initial: Float[Tensor, "n *positions"]
    """Relevance of each position of the encoder's output, from which the map was built."""
    lost: Scores
    """Relevance that has no source among the pixels: dead feature vectors, added constants, dropped biases."""


def decompose(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    operations: Mapping[str, Meaning] = NOTHING_DECLARED,
    bias: Bias = "norm",
    contrast: Contrast = "mean",
    start: Start = "gradient",
    precision: Precision = "full",
    create_graph: bool = False,
) -> Maps:
    """SRD saliency maps of `target`, signed, at the resolution of `inputs`.

    `encoder` names the module with whose output the encoder ends; by default it ends with the last features that every
    path passes and that are read at more than one position. `operations` says of torch functions that are not known
    here whether they are "linear", a "gate" or an "activation". `bias` divides a bias among the taps of its
    convolution: by `||W_t x_i||` ("norm", the authors' code), by the sharing ratio ("ratio"), equally ("uniform"), or
    not at all ("drop"). `contrast` "mean" subtracts the mean over positions from the starting relevance, so that what
    all classes share falls away. `start` "gradcam" begins with Grad-CAM's values at the vectors before the encoder's
    last activation, as the authors do for VGG, instead of each vector's product with its own gradient. `precision` is
    that of what convolutions and linear layers multiply: "mixed" rounds relevance and weights to bfloat16 on the way
    down (docs/architecture.md states the error), "bfloat16" and "float16" also the network's own; all else keeps the
    type of the inputs. `create_graph` makes the maps differentiable by the inputs, and by the
    parameters that require grad (those of activations, as the slopes of PReLU, apart): relevance then comes down in the
    type of the network's own products.

    Raises UnsupportedOperation for a network with an operation that has no rule, ModelError for an unknown encoder,
    ValueError for an unknown bias, contrast, start or precision.
    """
    maps, _ = decomposed(
        network,
        inputs,
        target,
        SharingRatio(bias, precision=precision, by_weights=create_graph),
        encoder=encoder,
        operations=operations,
        contrast=contrast,
        start=start,
        create_graph=create_graph,
    )
    return maps


def account(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    *,
    encoder: str | None = None,
    operations: Mapping[str, Meaning] = NOTHING_DECLARED,
    bias: Bias = "norm",
    contrast: Contrast = "mean",
    start: Start = "gradient",
    create_graph: bool = False,
) -> Decomposition:
    """As `decompose`, with the relevance that went in and the relevance that was lost."""
    ledger = Ledger()
    maps, initial = decomposed(
        network,
        inputs,
        target,
        SharingRatio(bias, ledger, by_weights=create_graph),
        encoder=encoder,
        operations=operations,
        contrast=contrast,
        start=start,
        create_graph=create_graph,
    )
    lost = torch.zeros(len(maps)).to(maps) + ledger.total(len(maps))
    return Decomposition(maps, initial, lost.detach())


def decomposed(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    rules: SharingRatio,
    *,
    encoder: str | None,
    operations: Mapping[str, Meaning],
    contrast: Contrast,
    start: Start = "gradient",
    create_graph: bool,
) -> tuple[Maps, Float[Tensor, "n *positions"]]:
    """The maps by the `rules` given, and the relevance of each position of the encoder's output."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        run = Propagation(network, inputs, rules, layers=[encoder] if encoder else [], operations=operations)
        end, gradient = run.encoder(target, encoder, create_graph=create_graph)
        initial, signal = run.started(end, gradient, contrast, start, create_graph=create_graph)
        maps = run.maps(end, signal, create_graph=create_graph)
    return maps if create_graph else maps.detach(), initial.detach().squeeze(end.channels)
