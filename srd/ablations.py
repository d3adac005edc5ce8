"""Variants of SRD, each with one choice undone: ratios per neuron, after the activation, without recursion."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from srd.affine import Affine
from srd.decomposition import Decomposition, account_by_rules, decompose_by_rules
from srd.functions import Elementwise
from srd.keywords import takes
from srd.options import AblationOptions, CoarseOptions
from srd.passes import evaluating, leaf
from srd.propagation import Propagation
from srd.provenance import Source
from srd.rules import SharingRatio
from srd.targets import target_of_each_row
from srd.types import AnyTarget, Generators, Inputs, Maps
from srd.vectors import inner, on_grid, safe_ratio


class ScalarRatio(SharingRatio):
    """SRD by neuron: each neuron k shares its own relevance, r_k / X_k.

    SRD itself shares the relevance of the whole feature vector, X / ||X||^2.
    """

    def starting_signal(
        self, before: Tensor, after: Tensor, gradient: Tensor, relevance: Tensor, channels: tuple[int, ...]
    ) -> Tensor:
        missing = relevance - inner(after, gradient, channels)
        contrasted = gradient + self.relevance_signal(after, missing, channels)
        return self._by_neuron(before, after, contrasted)

    def affine(self, affine: Affine, outputs: Callable[[], Tensor], inputs: Tensor, source: Source) -> Tensor:
        return super().affine(
            affine, outputs, inputs, source._replace(bias_relevance=None)
        )  # a position's share has no neurons

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        return self._by_neuron(before, phi(before), g)

    def _by_neuron(self, before: Tensor, after: Tensor, g: Tensor) -> Tensor:
        silent = before == 0
        self._lose((after * g * silent).flatten(1).sum(1, keepdim=True))
        return torch.where(silent, 0, after * g / torch.where(silent, 1, before))


class PostActivationRatio(SharingRatio):
    """SRD with the ratio <v, phi(X)> / <X, phi(X)>: the values of inactive neurons do not count."""

    def starting_signal(
        self, before: Tensor, after: Tensor, gradient: Tensor, relevance: Tensor, channels: tuple[int, ...]
    ) -> Tensor:
        agreement = inner(before, after, channels)
        self._lose(relevance, agreement)
        return after * safe_ratio(relevance, agreement)

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        return self.starting_signal(
            before, phi(before), g, self.relevance(before, phi, g, received, channels), channels
        )


@takes(AblationOptions)
def scalar(
    options: AblationOptions,
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
    generators: Generators | None = None,
) -> Maps:
    """Return the maps of SRD with one ratio per neuron, phi(X_k) / X_k. For a ReLU this is the gradient itself.

    All else is as in `srd.decompose`.
    """
    rules = ScalarRatio(options.bias, by_weights=options.create_graph)
    maps, _ = decompose_by_rules(options, rules, network, inputs, target)
    return maps


@takes(AblationOptions)
def account_scalar(options: AblationOptions, network: nn.Module, inputs: Inputs, target: AnyTarget) -> Decomposition:
    """Return the maps of `scalar` with the relevance that went in and the relevance that was lost."""
    return account_by_rules(options, lambda lost: ScalarRatio(options.bias, lost), network, inputs, target)


@takes(AblationOptions)
def post_activation(
    options: AblationOptions,
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
    generators: Generators | None = None,
) -> Maps:
    """Return the maps of SRD with the vector after the activation in place of the vector before it.

    All else is as in `srd.decompose`.
    """
    rules = PostActivationRatio(options.bias, by_weights=options.create_graph)
    maps, _ = decompose_by_rules(options, rules, network, inputs, target)
    return maps


@takes(AblationOptions)
def account_post_activation(
    options: AblationOptions, network: nn.Module, inputs: Inputs, target: AnyTarget
) -> Decomposition:
    """Return the maps of `post_activation` with the relevance that went in and the relevance that was lost."""
    return account_by_rules(options, lambda lost: PostActivationRatio(options.bias, lost), network, inputs, target)


@takes(CoarseOptions)
def coarse(
    options: CoarseOptions, network: nn.Module, inputs: Inputs, target: AnyTarget, generators: Generators | None = None
) -> Maps:
    """Return the relevance with which SRD starts, at the resolution of the encoder."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=options.create_graph)
        rules = SharingRatio("drop", by_weights=options.create_graph)
        layers = [options.encoder] if options.encoder else []
        run = Propagation(network, inputs, rules, layers=layers, operations=options.operations)
        end, initial, _ = run.starting_point(target_of_each_row(target, inputs), options)
        values = initial.squeeze(end.channels)
        maps = on_grid(values, *inputs.shape[2:], n_prefix=run.prefix_tokens.among(values.shape[1]))
    return maps if options.create_graph else maps.detach()
