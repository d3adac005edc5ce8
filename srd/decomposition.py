"""Sharing Ratio Decomposition (Han, Kim, Kwak, ICLR 2024) in one modified backward pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.encoder import Signal, Vectors
from srd.entries import Meaning
from srd.interception import NOTHING_DECLARED
from srd.passes import evaluating, leaf
from srd.propagation import Propagation
from srd.rules import Bias, SharingRatio
from srd.types import Generators, Inputs, Maps, Scores, Target
from srd.vectors import inner, position_axes

Contrast = Literal["none", "mean"]


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
    create_graph: bool = False,
) -> Maps:
    """SRD saliency maps of `target`, signed, at the resolution of `inputs`.

    `encoder` names the module with whose output the encoder ends; by default it ends with the last features that every
    path passes and that are read at more than one position. `operations` says of torch functions that are not known
    here whether they are "linear", a "gate" or an "activation". `bias` divides a bias among the taps of its
    convolution: by `||W_t x_i||` ("norm", the authors' code), by the sharing ratio ("ratio"), equally ("uniform"), or
    not at all ("drop"). `contrast` "mean" subtracts the mean over positions from the starting relevance, so that what
    all classes share falls away.

    Raises UnsupportedOperation for a network with an operation that has no rule, ModelError for an unknown encoder,
    ValueError for an unknown bias or contrast.
    """
    return account(
        network,
        inputs,
        target,
        encoder=encoder,
        operations=operations,
        bias=bias,
        contrast=contrast,
        create_graph=create_graph,
    ).maps


def account(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    *,
    encoder: str | None = None,
    operations: Mapping[str, Meaning] = NOTHING_DECLARED,
    bias: Bias = "norm",
    contrast: Contrast = "mean",
    create_graph: bool = False,
) -> Decomposition:
    """As `decompose`, with the relevance that went in and the relevance that was lost."""
    _refuse_unknown("bias", bias, get_args(Bias))
    _refuse_unknown("contrast", contrast, get_args(Contrast))
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        names = [] if encoder is None else [encoder]
        run = Propagation(network, inputs, SharingRatio(bias), layers=names, operations=operations)
        end, signal = run.encoder(target, encoder, create_graph=create_graph)
        initial, started = _started(run, end, signal, contrast)
        maps = run.maps(end, started, create_graph=create_graph)
    lost = torch.zeros_like(maps[:, 0, 0]).detach() + run.rules.lost(len(maps))
    return Decomposition(maps if create_graph else maps.detach(), initial.detach().squeeze(end.channels), lost)


def _started(run: Propagation, end: Vectors, signal: Signal, contrast: Contrast) -> tuple[Tensor, Signal]:
    """Relevance of the encoder's output, and the signal with which it sets out."""
    relevance = inner(end.after, signal, end.channels)
    if contrast == "none":
        return relevance, run.rules.decomposed(end.before, relevance, end.channels) if end.is_activation else signal
    mean = relevance.mean(position_axes(relevance, end.channels), keepdim=True)
    if end.is_activation:
        return relevance - mean, run.rules.decomposed(end.before, relevance - mean, end.channels)
    return relevance - mean, signal - run.rules.decomposed(end.before, mean, end.channels)


def _refuse_unknown(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(known)}")
