"""The arguments of a metric, from maps: those that a network answers come from a small one, asked on fixed inputs."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from toys import classes, generator, normal

from srd.entries import Design, Fill, MetricEntry
from srd.removal.answers import answers
from srd.removal.curves import removal_curve
from srd.removal.fills import FILLS, fill
from srd.removal.orders import removal_orders
from srd.removal.subsets import masks_of_cells, random_subsets, single_cells, sized_subsets, sums_over_cells
from srd.types import Cells, Inputs, Maps

STEPS = 5
N_CLASSES = 3
DESIGNS: Mapping[Design, Cells] = {
    "random": random_subsets(generator(), 40),
    "cells": single_cells(),
    "sizes": sized_subsets(generator(1), 15),
}


class Asked(nn.Module):
    """Logits that are linear in the inputs, (n, 1, h, w), in double precision."""

    def __init__(self, h: int, w: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(N_CLASSES, h * w, seed=11) * 2 / (h * w) ** 0.5)

    def forward(self, inputs: Inputs) -> Tensor:
        return inputs.flatten(1) @ self.weight.T

    def contributions(self, differences: Inputs) -> Maps:
        """Return how much of the target's logit hangs on each pixel of these differences of the inputs."""
        weights = self.weight.detach()[classes(len(differences), N_CLASSES)]
        return differences[:, 0] * weights.view_as(differences[:, 0])


@cache
def asked(h: int, w: int) -> Asked:
    return Asked(h, w)


@cache
def inputs_of(n: int, h: int, w: int) -> Inputs:
    return normal(n, 1, h, w, seed=12)


def black_of(inputs: Inputs) -> Inputs:
    return torch.full_like(inputs[0], -0.5)


def filled(inputs: Inputs, name: Fill) -> Inputs:
    return FILLS[name](inputs, black_of(inputs))


def curves(entry: MetricEntry, maps: Maps, *_: Tensor) -> tuple[Tensor, ...]:
    n, h, w = maps.shape
    inputs, target = inputs_of(n, h, w), classes(n, N_CLASSES)
    ties = torch.stack([torch.randperm(h * w, generator=generator(row)) for row in range(n)])
    rows = zip(
        inputs.split(1),
        target.split(1),
        removal_orders(maps, ties),
        filled(inputs, entry.fill or "blur").split(1),
        strict=True,
    )
    found = [removal_curve(asked(h, w), *row, STEPS) for row in rows]
    most, least = torch.stack(found)[..., 1].to(maps.dtype).unbind(1)
    return most, least


def subsets(entry: MetricEntry, maps: Maps, *_: Tensor) -> tuple[Tensor, ...]:
    design, name = entry.design or "random", entry.fill or "mean"
    return sums_over_cells(maps, DESIGNS[design]).to(maps.dtype), drops_of(*maps.shape, design, name).to(maps.dtype)


@cache
def drops_of(n: int, h: int, w: int, design: Design, name: Fill) -> Tensor:
    inputs, target = inputs_of(n, h, w), classes(n, N_CLASSES)
    masks = masks_of_cells(DESIGNS[design], h, w)
    whole = answers(asked(h, w), inputs, target)[:, :1]
    without = [
        answers(asked(h, w), fill(inputs[k : k + 1], masks, filled(inputs, name)[k : k + 1]), target[k : k + 1])[:, 0]
        for k in range(n)
    ]
    return whole - torch.stack(without)


def sums(entry: MetricEntry, maps: Maps, *_: Tensor) -> tuple[Tensor, ...]:
    n, h, w = maps.shape
    inputs, target = inputs_of(n, h, w), classes(n, N_CLASSES)
    logits = [answers(asked(h, w), each, target)[:, 0] for each in (inputs, filled(inputs, "black"))]
    return maps.sum((1, 2)), *(each.to(maps.dtype) for each in logits)


ARGUMENTS: Mapping[str, Callable[..., tuple[Tensor, ...]]] = {
    "two maps": lambda _, maps, others, masks: (maps, others),
    "map and mask": lambda _, maps, others, masks: (maps, masks),
    "map": lambda _, maps, others, masks: (maps,),
    "curves": curves,
    "subsets": subsets,
    "randomised": lambda _, maps, others, masks: (maps, others),
    "sum": sums,
}


def arguments(entry: MetricEntry, maps: Maps, others: Maps, masks: Tensor) -> tuple[Any, ...]:
    """Return the arguments of the metric: of each, one row for each map."""
    return ARGUMENTS[entry.of](entry, maps, others, masks)


def truth(entry: MetricEntry, n: int, h: int, w: int) -> Maps:
    """Return the maps that say how the network answers: what each pixel adds to the logit, beside what fills it."""
    inputs = inputs_of(n, h, w)
    return asked(h, w).contributions(inputs - filled(inputs, entry.fill or "black"))
