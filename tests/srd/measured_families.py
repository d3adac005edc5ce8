"""What SRD shows on torchvision's network families: whole networks in float32, shrunken ones in float64."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args
from unittest.mock import patch

import torch
from batch_coupling import Coupling, coupling
from families import FAMILIES, full, images, partition, shrunken
from forward_srd import BiasRule, Contrast, ForwardSrd, forward_built
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack
from toys import portrait, relative_error

from srd import precision
from srd.decomposition import Decomposition, account, decompose
from srd.metrics.pearson import pearson
from srd.precision import Precision

CONSERVING: tuple[BiasRule, ...] = ("norm", "ratio", "uniform")
REDUCED: tuple[Precision, ...] = ("mixed", "bfloat16", "float16")
N_SOURCES = 3


@dataclass(frozen=True)
class Measured:
    """What one whole network shows; errors in units of all starting relevance, or of the largest value of the map."""

    unexplained: float
    """Relevance neither in the map nor in the books, the worst of three rules for the bias."""
    residual: float
    """Relevance that the books count as lost, rule "norm"."""
    correlation: float
    """Of the maps of the class predicted and of the runner-up."""
    changed: list[str]
    """What was not left as found."""
    rounding: Mapping[Precision, float]
    """Relative error of the map where products are made in fewer bits."""


@cache
def measured(name: str) -> Measured:
    network = full(name)
    x = images(3, (FAMILIES[name].full_size,) * 2, torch.float32)
    with torch.no_grad():
        first, second = network(x).topk(2).indices.T
    before = surroundings(network, x)
    batch = account(network, x, first, bias="norm", contrast="none")
    after = surroundings(network, x)
    alone = [account(network, x[:1], first[:1], bias=bias, contrast="none") for bias in CONSERVING]
    maps = decompose(network, x[:1].expand(2, -1, -1, -1), torch.stack([first[0], second[0]]))
    with patch.object(precision, "multiplies_in_bfloat16", lambda device: True):  # else "mixed" may be "full"
        rounded = {each: decompose(network, x[:1], first[:1], precision=each) for each in REDUCED}
    return Measured(
        max(map(unexplained, [batch, *alone])),
        float((batch.lost.abs() / started(batch)).max()),
        float(pearson(maps[:1], maps[1:])),
        [key for key in before if before[key] != after[key]],
        {each: float((moved - maps[:1]).norm() / maps[:1].norm()) for each, moved in rounded.items()},
    )


def surroundings(network: nn.Module, *tensors: Tensor) -> dict[str, Any]:
    """All that must be left as found, torch's own switches included."""
    switches = {"fast path": torch.backends.mha.get_fastpath_enabled(), "modes": _get_current_function_mode_stack()}
    return portrait(network, *tensors) | {"switches": switches}


def started(result: Decomposition) -> Tensor:
    return result.initial.abs().flatten(1).sum(1)


def unexplained(result: Decomposition) -> float:
    missing = result.maps.flatten(1).sum(1) + result.lost - result.initial.flatten(1).sum(1)
    return float((missing.abs() / started(result)).max())


@cache
def reference_error(name: str) -> float:
    """Largest difference to the forward-built definition: of maps, starting relevance and what was lost."""
    family, network = FAMILIES[name], shrunken(name)
    x, labels = images(1, family.shrunken_size, torch.float64), partition(family.shrunken_size, N_SOURCES)
    target = network(x).argmax(1)
    errors = []
    for bias in CONSERVING:
        start = forward_built(
            network, x[0], int(target), family.start, channels=family.channels, bias=bias, partition=labels
        )
        errors.append(relative_error(start.logits, network(x)[0]))
        for contrast in get_args(Contrast):
            result = account(network, x, target, bias=bias, contrast=contrast)
            errors.append(difference(result, start.explained(contrast), labels))
    return max(errors)


def difference(result: Decomposition, expected: ForwardSrd, labels: Tensor) -> float:
    by_source = torch.bincount(labels.flatten(), result.maps[0].flatten(), N_SOURCES)
    return max(
        relative_error(by_source, expected.saliency),
        relative_error(result.initial.flatten(), expected.relevance),
        abs(float(result.lost) - expected.lost) / float(expected.relevance.abs().sum()),
    )


@cache
def batch_coupling(name: str) -> Coupling:
    """Of the whole network, in float32."""
    network, x = full(name), images(3, (FAMILIES[name].full_size,) * 2, torch.float32)
    return coupling(network, x, network(x).argmax(1))
