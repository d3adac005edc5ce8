"""SRD between the layers of a network: receptive fields, sharing ratios and the relevance of a layer."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from srd.encoder import Signal, Vectors
from srd.errors import ModelError
from srd.keywords import takes
from srd.options import FieldOptions, LayerOptions, RelevanceOptions, SharingOptions
from srd.passes import evaluating, leaf
from srd.propagation import Propagation
from srd.rules import SharingRatio
from srd.targets import target_of_each_row
from srd.types import AnyTarget, Generators, Inputs, Maps
from srd.vectors import inner, on_grid

Positions = Int64[Tensor, "p d"] | Int64[Tensor, "n p d"]
"""Row and column in a map (d = 2), or number of a token (d = 1): the same for all images, or one set for each image."""


@takes(RelevanceOptions)
def relevance(
    options: RelevanceOptions, network: nn.Module, inputs: Inputs, target: AnyTarget, layers: str | Sequence[str]
) -> dict[str, Float[Tensor, "n *positions"]]:
    """Return the relevance of `target` at each position of the output of each named module, in one backward pass.

    For a module that runs more than once, this is its last output. `layers` holds names of modules, or is one name.
    `target` and the options are those of `srd.decompose`.

    Raises
    ------
    ModelError
        A module is unknown, does not run, or has an output that is no part of the encoder.
    """
    _, at = _relevance_at(options, network, inputs, target, layers)
    return at


@takes(LayerOptions)
def relevance_map(
    options: LayerOptions, network: nn.Module, inputs: Inputs, target: AnyTarget, generators: Generators | None = None
) -> Maps:
    """Return the relevance of one `layer` as a map of its own resolution. `target` is that of `srd.decompose`.

    Raises
    ------
    ModelError
        As for `relevance`.
    UnsupportedOperation
        The positions lie on no grid.
    """
    run, at = _relevance_at(options, network, inputs, target, [options.layer])
    values = at[options.layer]
    return on_grid(values, *inputs.shape[2:], n_prefix=run.prefix_tokens.among(values.shape[1]))


@takes(SharingOptions)
def sharing_ratios(
    options: SharingOptions, network: nn.Module, inputs: Inputs, lower: str, upper: str, position: Sequence[int]
) -> Float[Tensor, "n *positions"]:
    """Return the share of each vector at the output of module `lower` in one vector at the output of module `upper`.

    The vector is the one at `position`. The shares sum to 1, less what the constants between the layers supply.

    Raises
    ------
    ModelError
        A module is unknown or does not run, or `lower` does not lie below `upper`.
    ValueError
        The position is not there.
    """
    with evaluating(network):
        run = _propagation(options, network, leaf(inputs, create_graph=False), [lower, upper])
        above = run.layers[upper].vectors
        seeds = _one_hot(above, upper, torch.tensor(position).expand(len(inputs), -1))
        below = {lower: run.layers[lower].vectors}
        return _relevances(run, above, run.signal_at(above, seeds), below, create_graph=False)[lower].detach()


@takes(FieldOptions)
def receptive_field(
    options: FieldOptions, network: nn.Module, inputs: Inputs, layer: str, positions: Positions
) -> Float[Tensor, "n p h w"]:
    """Return the effective receptive fields of vectors of a module's output, at the resolution of `inputs`.

    Each field is a map of sharing ratios (Han et al. 2024, section 3). It sums to 1, less what constants supply.

    Raises
    ------
    ModelError
        The module is unknown, does not run or makes no feature vectors.
    ValueError
        A position is not there.
    """
    n, (p, d) = len(inputs), positions.shape[-2:]
    rows = inputs.detach().repeat_interleave(p, 0)
    places = positions.expand(n, p, d).reshape(n * p, d)
    with evaluating(network):
        fields = []
        for images, at in zip(rows.split(options.batch), places.split(options.batch), strict=True):
            run = _propagation(options, network, leaf(images, create_graph=False), [layer])
            vectors = run.layers[layer].vectors
            signal = run.signal_at(vectors, _one_hot(vectors, layer, at))
            fields.append(run.maps(vectors, signal, create_graph=False).detach())
    return torch.cat(fields).reshape(n, p, *inputs.shape[2:])


def _propagation(options: SharingOptions, network: nn.Module, inputs: Inputs, layers: Sequence[str]) -> Propagation:
    return Propagation(network, inputs, SharingRatio(options.bias), layers=layers, operations=options.operations)


def _relevance_at(
    options: RelevanceOptions, network: nn.Module, inputs: Inputs, target: AnyTarget, layers: str | Sequence[str]
) -> tuple[Propagation, dict[str, Float[Tensor, "n *positions"]]]:
    create_graph, rules = options.create_graph, SharingRatio(options.bias, by_weights=options.create_graph)
    layers = [layers] if isinstance(layers, str) else layers
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        names = [*layers, *([options.encoder] if options.encoder else [])]
        run = Propagation(network, inputs, rules, layers=names, operations=options.operations)
        end, initial, signal = run.starting_point(target_of_each_row(target, inputs), options)
        found = {name: run.layers[name].vectors for name in layers}
        below = {name: vectors for name, vectors in found.items() if vectors is not end}
        at = dict.fromkeys(found, initial.squeeze(end.channels))
        at |= _relevances(run, end, signal, below, create_graph=create_graph)
    return run, at if create_graph else {name: maps.detach() for name, maps in at.items()}


def _one_hot(vectors: Vectors, layer: str, places: Int64[Tensor, "n d"]) -> Tensor:
    """Return 1 at one position of each row, with channel axes of size 1.

    Raises
    ------
    ValueError
        A position is not there.
    """
    seeds = torch.zeros_like(inner(vectors.before, vectors.before, vectors.channels)).squeeze(vectors.channels)
    sizes = tuple(seeds.shape[1:])
    if places.shape[1] != len(sizes) or (places < 0).any() or (places >= places.new_tensor(sizes)).any():
        raise ValueError(f"layer {layer!r} has positions below {sizes}, got {places.unique(dim=0).tolist()}")
    seeds[(torch.arange(len(seeds)), *places.unbind(1))] = 1
    for axis in vectors.channels:
        seeds = seeds.unsqueeze(axis)
    return seeds


def _relevances(
    run: Propagation, upper: Vectors, signal: Signal, lower: Mapping[str, Vectors], *, create_graph: bool
) -> dict[str, Tensor]:
    if not lower:
        return {}
    bias_relevances = {
        name: vectors.bias_relevance for name, vectors in lower.items() if vectors.bias_relevance is not None
    }
    ends = [*(vectors.at for vectors in lower.values()), *bias_relevances.values()]
    arrived = run.propagate(upper, signal, ends, create_graph=create_graph)
    signals, received = (
        dict(zip(lower, arrived, strict=False)),
        dict(zip(bias_relevances, arrived[len(lower) :], strict=True)),
    )
    return {name: _relevance(run, name, lower[name], signals[name], received.get(name)) for name in lower}


def _relevance(run: Propagation, name: str, vectors: Vectors, signal: Signal | None, received: Tensor | None) -> Tensor:
    if signal is None:
        raise ModelError(
            f"layer {name!r}: no relevance arrives there; it lies above, aside, or is one with the batch norm after it"
        )
    summed = run.rules.relevance(vectors.before, vectors.phi, signal, received, vectors.channels)
    return summed.squeeze(vectors.channels)
