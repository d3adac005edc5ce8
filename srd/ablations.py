"""SRD with one of its choices undone: by neuron, after the activation, without recursion."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from srd.affine import Affine
from srd.decomposition import decompose_by_rules
from srd.functions import Elementwise
from srd.keywords import takes
from srd.options import AblationOptions, CoarseOptions
from srd.passes import evaluating, leaf
from srd.propagation import Propagation
from srd.provenance import Source
from srd.rules import SharingRatio
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import inner, on_grid, safe_ratio


class ScalarRatio(SharingRatio):
    """Each neuron k shares its own relevance, r_k / X_k, instead of the vector its relevance X / ||X||^2."""

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
    """<v, phi(X)> / <X, phi(X)> for the sharing ratio: what an inactive neuron holds does not count."""

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
    options: AblationOptions, network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None
) -> Maps:
    """As `srd.decompose`, with a ratio per neuron: phi(X_k) / X_k, the gradient itself for a ReLU."""
    rules = ScalarRatio(options.bias, by_weights=options.create_graph)
    maps, _ = decompose_by_rules(options, rules, network, inputs, target)
    return maps


@takes(AblationOptions)
def post_activation(
    options: AblationOptions, network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None
) -> Maps:
    """As `srd.decompose`, with the vector after the activation in place of the one before it."""
    rules = PostActivationRatio(options.bias, by_weights=options.create_graph)
    maps, _ = decompose_by_rules(options, rules, network, inputs, target)
    return maps


@takes(CoarseOptions)
def coarse(
    options: CoarseOptions, network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None
) -> Maps:
    """The relevance with which SRD sets out, at the encoder's resolution."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=options.create_graph)
        rules = SharingRatio("drop", by_weights=options.create_graph)
        layers = [options.encoder] if options.encoder else []
        run = Propagation(network, inputs, rules, layers=layers, operations=options.operations)
        end, initial, _ = run.starting_point(target, options)
        maps = on_grid(initial.squeeze(end.channels), *inputs.shape[2:])
    return maps if options.create_graph else maps.detach()
