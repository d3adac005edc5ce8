"""SRD on every family of torchvision's classifiers, unmodified; the numbers measured here are docs/families.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from families import FAMILIES, full, images, partition, shrunken
from forward_srd import BiasRule, Contrast, ForwardSrd, forward_built
from measured_table import decade, hold
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack
from toys import portrait, relative_error

from srd.decomposition import Decomposition, account, decompose
from srd.metrics.similarity import pearson
from srd.precision import Precision

CONSERVING: tuple[BiasRule, ...] = ("norm", "ratio", "uniform")
REDUCED: tuple[Precision, ...] = ("mixed", "bfloat16", "float16")
N_SOURCES = 3
TABLE = Path(__file__).parents[2] / "docs" / "families.md"

every_family = pytest.mark.parametrize("name", FAMILIES)


# The whole networks, in float32.


@dataclass(frozen=True)
class Measured:
    """Measurements of one whole network; errors in units of all starting relevance, or of the map's largest value."""

    unexplained: float
    """Relevance neither in the map nor in the books, the worst of three rules for the bias."""
    residual: float
    """Relevance that the books count as lost, rule "norm"."""
    correlation: float
    """Correlation of the maps of the predicted class and of the runner-up."""
    coupling: float
    """Difference made by the other rows of the batch."""
    changed: list[str]
    """Parts of the state that were not left as found."""
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
    rounded = {each: decompose(network, x[:1], first[:1], precision=each) for each in REDUCED}
    return Measured(
        max(map(unexplained, [batch, *alone])),
        float((batch.lost.abs() / started(batch)).max()),
        float(pearson(maps[:1], maps[1:])),
        relative_error(batch.maps[0], alone[0].maps[0]),
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


@every_family
def test_relevance_is_conserved(name: str) -> None:
    assert measured(name).unexplained <= 1e-4


@every_family
def test_maps_of_two_classes_are_no_copies_or_negatives(name: str) -> None:
    assert abs(measured(name).correlation) < 0.999


@every_family
def test_rounded_relevance_moves_a_map_by_little(name: str) -> None:
    assert 0 < measured(name).rounding["mixed"] <= 0.1


@every_family
def test_nothing_is_left_behind(name: str) -> None:
    assert measured(name).changed == []


# The shrunken networks, in float64.


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


@every_family
def test_shrunken_network_equals_the_forward_built_definition(name: str) -> None:
    assert reference_error(name) <= 1e-9


# The table.

HEADER = """\
# SRD on torchvision's network families

Written by `tests/srd/test_families.py`; a run of the tests that finds other values writes it anew and fails. Random
weights, one seed; the unmodified network in float32 on square images of the size given, except for the reference.

- conserved: largest |sum of map + counted residual - starting relevance| over the starting relevance, bias rules norm,
  ratio and uniform, contrast none.
- residual: relevance without a source among the pixels (dead feature vectors, position embeddings, class
  tokens, added constants, windows padded with zeros), over the starting relevance, bias rule norm.
- two classes: Pearson correlation of the maps of the predicted class and the runner-up, rule norm, contrast mean.
- reference: largest relative difference to the forward-built definition (`tests/srd/forward_srd.py`), on a shrunken
  network of the same class in float64, three bias rules, both contrasts.
- mixed, bfloat16, float16: relative error of the map (Euclidean, rule norm, contrast mean) where products are made in
  fewer bits (`precision`); "mixed" rounds relevance alone, the others the network too.
- batch: relative difference of a map alone and in a batch of three.
- as found: no hook, mode, flag, gradient or changed value is left behind.

| family | size | conserved | residual | two classes | reference | batch | mixed | bfloat16 | float16 | as found |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def row(name: str) -> str:
    m = measured(name)
    cells = [
        name,
        str(FAMILIES[name].full_size),
        decade(m.unexplained, 1e-6),
        f"{100 * m.residual:.2g} %" if m.residual > 1e-4 else "< 0.01 %",
        f"{m.correlation:.2f}",
        decade(reference_error(name), 1e-12),
        decade(m.coupling, 1e-6),
        *(f"{m.rounding[each]:.0e}".replace("e-0", "e-") for each in REDUCED),
        "no" if m.changed else "yes",
    ]
    return f"| {' | '.join(cells)} |\n"


def test_the_table_in_docs_is_what_was_measured() -> None:
    hold(TABLE, HEADER + "".join(map(row, FAMILIES)))
