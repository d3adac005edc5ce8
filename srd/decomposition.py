"""Sharing Ratio Decomposition (Han, Kim, Kwak, ICLR 2024) in one modified backward pass."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.keywords import takes
from srd.lost_relevance import LostRelevance
from srd.options import RelevanceOptions, SrdOptions
from srd.passes import evaluating, leaf
from srd.precision import products_of
from srd.propagation import Propagation
from srd.rules import SharingRatio
from srd.targets import target_of_each_row
from srd.types import AnyTarget, Generators, Inputs, Maps, Scores


@dataclass(frozen=True)
class Decomposition:
    """A map with its balance: sum(initial) = sum(map) + lost, up to rounding."""

    maps: Maps
    initial: Float[Tensor, "n *positions"]
    """Relevance of each position of the encoder's output, from which the map was computed."""
    lost: Scores
    """Relevance that has no source among the pixels: zero feature vectors, added constants, dropped biases.

    The constant part of an operation that is declared linear counts as an added constant: of a bias whose operation is
    not known, no position is the source."""


@takes(SrdOptions)
def decompose(
    options: SrdOptions, network: nn.Module, inputs: Inputs, target: AnyTarget, generators: Generators | None = None
) -> Maps:
    """Return the signed SRD saliency maps of `target`, at the resolution of `inputs`.

    `target` is the explained class, the index of its logit: an int for all rows, or a list or tensor of one for each
    row. `srd.options.SrdOptions` explains the options.

    Raises
    ------
    UnsupportedOperation
        The network has an operation without a rule.
    ModelError
        The encoder is unknown.
    ValueError
        The bias, contrast, start or precision is unknown, or the target does not fit the rows or the logits.
    """
    products = products_of(options.precision, inputs.device)
    rules = SharingRatio(options.bias, products=products, by_weights=options.create_graph)
    maps, _ = decompose_by_rules(options, rules, network, inputs, target)
    return maps


@takes(RelevanceOptions)
def account(options: RelevanceOptions, network: nn.Module, inputs: Inputs, target: AnyTarget) -> Decomposition:
    """Return the maps of `decompose` with the relevance that went in and the relevance that was lost.

    The arguments are those of `decompose`.
    """
    return account_by_rules(
        options, lambda lost: SharingRatio(options.bias, lost, by_weights=options.create_graph), network, inputs, target
    )


def account_by_rules(
    options: SrdOptions,
    rules_that_count: Callable[[LostRelevance], SharingRatio],
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
) -> Decomposition:
    """Return the maps by rules, and their balance with the relevance that these rules count as lost."""
    losses = LostRelevance()
    maps, initial = decompose_by_rules(options, rules_that_count(losses), network, inputs, target)
    lost = torch.zeros(len(maps)).to(maps) + losses.total(len(maps))
    return Decomposition(maps, initial, lost.detach())


def decompose_by_rules(
    options: SrdOptions, rules: SharingRatio, network: nn.Module, inputs: Inputs, target: AnyTarget
) -> tuple[Maps, Float[Tensor, "n *positions"]]:
    """Return the maps by the given `rules`, and the relevance of each position of the encoder's output."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=options.create_graph)
        layers = [options.encoder] if options.encoder else []
        run = Propagation(network, inputs, rules, layers=layers, operations=options.operations)
        end, initial, signal = run.starting_point(target_of_each_row(target, inputs), options)
        maps = run.maps(end, signal, create_graph=options.create_graph)
    return maps if options.create_graph else maps.detach(), initial.detach().squeeze(end.channels)
