"""Sharing Ratio Decomposition (Han, Kim, Kwak, ICLR 2024) in one modified backward pass."""

from dataclasses import dataclass
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.interception import Interception
from srd.passes import chosen, evaluating, gradient, leaf
from srd.rules import Bias, Contrast, SharingRatio
from srd.types import Generators, Inputs, Maps, Scores, Target


@dataclass(frozen=True)
class Decomposition:
    """A map with its books: sum(initial) = sum(map) + lost, up to rounding."""

    maps: Maps
    initial: Float[Tensor, "n h_e w_e"]
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
    bias: Bias = "norm",
    contrast: Contrast = "mean",
    create_graph: bool = False,
) -> Maps:
    """SRD saliency maps of `target`, signed, at the resolution of `inputs`.

    `encoder` names the module whose last activation ends the encoder; by default the last activation with more than
    one position. `bias` divides a bias among the taps of its convolution: by `||W_t x_i||` ("norm", the authors'
    code), by the sharing ratio ("ratio"), equally ("uniform"), or not at all ("drop"). `contrast` "mean" subtracts
    the mean over positions from the starting relevance, so that what all classes share falls away.

    Raises UnsupportedOperation for a network with an operation that has no rule, ModelError for an unknown encoder,
    ValueError for an unknown bias or contrast.
    """
    return account(
        network, inputs, target, encoder=encoder, bias=bias, contrast=contrast, create_graph=create_graph
    ).maps


def account(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    *,
    encoder: str | None = None,
    bias: Bias = "norm",
    contrast: Contrast = "mean",
    create_graph: bool = False,
) -> Decomposition:
    """As `decompose`, with the relevance that went in and the relevance that was lost."""
    _refuse_unknown("bias", bias, get_args(Bias))
    _refuse_unknown("contrast", contrast, get_args(Contrast))
    rules = SharingRatio(bias, contrast)
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        trace = Interception(inputs, rules)
        with trace.naming(network, encoder), trace:
            logits = network(inputs)
        with rules.propagating(trace.decomposable_encoder(logits).order):
            relevance = gradient(chosen(logits, target), inputs, create_graph=create_graph)
        maps = (inputs * relevance).sum(1)
    return Decomposition(maps if create_graph else maps.detach(), *_books(rules, maps))


def _books(rules: SharingRatio, maps: Maps) -> tuple[Tensor, Tensor]:
    initial = torch.zeros_like(maps) if rules.initial is None else rules.initial
    return initial, torch.zeros_like(maps[:, 0, 0]).detach() + rules.lost


def _refuse_unknown(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(known)}")
