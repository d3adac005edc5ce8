"""Checks of the laws of methods on given inputs: a network that breaks one holds something unseen.

Conservation (SRD, LRP): the relevance that went in is the sum of the map and what is counted as lost. Completeness
(DeepLIFT, Integrated and Expected Gradients): the sum of the map is the difference of the target's logit from that of
the baseline. `AttributorEntry.law` names the law of a method.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from srd.baselines._chunks import chunks
from srd.entries import AttributorEntry, Law
from srd.errors import InputError
from srd.passes import evaluating, scores_of
from srd.targets import target_of_each_row
from srd.types import AnyTarget, Generators, Inputs, Maps, Scores, Target

ROUNDING = 1e-3
"""Gap that rounding may leave in float32.

A sum of n float32 numbers is uncertain by about 1e-7 sqrt(n) of the sum of their sizes, and a map has passed a few
hundred operations: 1e-5 is usual, and ten times as much where relevance of both signs cancels on the way. What a method
does not see leaves percents.
"""
INTEGRATION = 0.05
"""Gap that the sum over a few points may leave of an integral along a path (Sundararajan et al. 2017, section 5)."""
REPEATS, DEVIATIONS = 8, 5
"""Runs of a method that draws, and how many standard errors their mean may lie from its expectation.

By Student's distribution, 5 are exceeded by one row in 600.
"""


@dataclass(frozen=True)
class Balance:
    """The two sides of a law, as demanded and as found: one number for each row."""

    law: Law
    expected: Scores
    """The relevance that went in, or the difference of the logit."""
    found: Scores
    """The sum of the map."""
    lost: Scores
    """What is counted as lost. It is NaN where that cannot be told row by row, and so are the gaps."""
    size: Scores
    """The sum of sizes in units of which the gap is told: those of the map, or of the expected if they are larger."""
    tolerance: Scores
    """Largest gap that the law allows."""

    @property
    def gap(self) -> Scores:
        """Return the distance of the two sides of the law, relative to the size."""
        distance = (self.found + self.lost - self.expected).abs()
        return distance / torch.where(self.size == 0, 1, self.size)

    @property
    def holds(self) -> Bool[Tensor, " n"]:
        """Return whether the gap is within the tolerance."""
        return self.gap <= self.tolerance


def check_law(
    entry: AttributorEntry,
    network: nn.Module,
    inputs: Inputs,
    target: AnyTarget,
    generators: Generators | None = None,
    **options: Any,
) -> Balance:
    """Return what the law of a method says on these inputs. The arguments are those of the method.

    Raises
    ------
    InputError
        The method claims no law.
    """
    if not entry.law:
        raise InputError(f"{entry.name} claims no law; check a method whose entry states one")
    rows = target_of_each_row(target, inputs)
    if entry.law == "conservation":
        return conservation(entry, network, inputs, rows, **options)
    return completeness(entry, network, inputs, rows, generators, **options)


def conservation(entry: AttributorEntry, network: nn.Module, inputs: Inputs, target: Target, **options: Any) -> Balance:
    """Return the relevance that went in, the sum of the map and what was lost, all in full precision."""
    kept = {name: value for name, value in options.items() if name != "precision"}
    books = entry.load_balance()(network, inputs, target, **kept)
    initial = books.initial.reshape(len(inputs), -1)
    size = torch.maximum(initial.abs().sum(1), _size(books.maps))
    return Balance(entry.law, initial.sum(1), books.maps.sum((1, 2)), books.lost, size, torch.full_like(size, ROUNDING))


def completeness(
    entry: AttributorEntry,
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    **options: Any,
) -> Balance:
    """Return the difference of the logit from that of the baseline, and the sum of the map.

    DeepLIFT claims this of affine maps, activations and max pooling alone: gates, norms and attention, of which it
    takes the derivative, leave a gap.

    The baseline of a method that draws its baselines is the mean over its background. Such a method runs several times:
    the spread of the sums says how far their mean may be from what is expected.
    """
    expected = _logit(network, inputs, target) - _logit_without(network, inputs, target, **options)
    runs = [entry(network, inputs, target, generators, **options) for _ in range(REPEATS if entry.stochastic else 1)]
    sums = torch.stack([maps.sum((1, 2)) for maps in runs])
    size = torch.maximum(expected.abs(), _size(torch.stack(runs).mean(0)))
    tolerance = _tolerance(entry, sums, size)
    return Balance(entry.law, expected, sums.mean(0), torch.zeros_like(size), size, tolerance)


def _tolerance(entry: AttributorEntry, sums: Tensor, size: Scores) -> Scores:
    if entry.stochastic:
        spread: Tensor = sums.std(0) / len(sums) ** 0.5
        return ROUNDING + DEVIATIONS * spread / torch.where(size == 0, 1, size)
    return torch.full_like(size, INTEGRATION if "points" in entry.options else ROUNDING)


def _size(maps: Maps) -> Scores:
    return maps.abs().sum((1, 2))


def _logit(network: nn.Module, inputs: Inputs, target: Target) -> Scores:
    with evaluating(network), torch.no_grad():
        return scores_of(network(inputs.detach().clone()), target)


def _logit_without(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    *,
    baseline: Tensor | None = None,
    background: Inputs | None = None,
    **_: Any,
) -> Scores:
    """Return the target's logit of the baseline, by default 0, or its mean over the images of a background."""
    if background is None:
        start = torch.zeros_like(inputs) if baseline is None else baseline.to(inputs).expand_as(inputs)
        return _logit(network, start, target)
    with evaluating(network), torch.no_grad():
        parts: list[Tensor] = [
            network(background[k.start : k.stop].to(inputs)) for k in chunks(len(background), len(inputs))
        ]
        return scores_of(torch.cat(parts).mean(0, keepdim=True).expand(len(target), -1), target)
