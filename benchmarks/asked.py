"""An audit of the metrics that ask the network: what our side does of it, and what its stages cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.measuring import network_of
from srd.entries import Design, Fill
from srd.redrawn import redraw_network
from srd.registry import ATTRIBUTORS, METRICS, QUALITIES, SIMILARITIES
from srd.removal.answers import ROWS, answers
from srd.removal.curves import removal_curve
from srd.removal.fills import FILLS, fill
from srd.removal.orders import removal_orders
from srd.removal.subsets import masks_of_cells, random_subsets, single_cells, sized_subsets, sums_over_cells
from srd.types import Cells, Maps

SIZE = 224
METHODS = ("saliency", "input_x_gradient", "grad_cam", "srd")
DESIGNS: Mapping[Design, Cells] = {
    "random": random_subsets(torch.Generator().manual_seed(0), 200),
    "cells": single_cells(),
    "sizes": sized_subsets(torch.Generator().manual_seed(1), 50),
}
SHARES, REDRAWS = (0.25, 0.5, 0.75), 5
BLACK = torch.full((3, 1, 1), -2.0)
SPEC_STEPS, CONTROLS = 10, 2
SPEC_FILLS: Sequence[Fill] = ("blur", "black", "narrow_blur", "wide_blur")
WHOLE_FILLS: Sequence[Fill] = ("blur", "black", "mean")


@dataclass(frozen=True)
class Audit:
    """Holds what both sides are given: n images, their targets, and the maps of each method, (methods, n, h, w)."""

    network: nn.Module
    inputs: Tensor
    target: Tensor
    maps: Tensor
    asked: list[int]
    """The rows of each call of the network and of its copies."""

    @property
    def n_maps(self) -> int:
        return self.maps.shape[0] * self.maps.shape[1]

    def rows(self) -> Sequence[tuple[Tensor, Tensor, Maps]]:
        """Return each image, its target, and its maps by all methods."""
        return list(zip(self.inputs.split(1), self.target.split(1), self.maps.unbind(1), strict=True))


def random_audit(n: int) -> Audit:
    """Return an audit of a network of random weights and images of noise."""
    inputs = torch.randn(n, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return audit_of(network_of("resnet18"), inputs, torch.arange(n))


def audit_of(network: nn.Module, inputs: Tensor, target: Tensor) -> Audit:
    """Return an audit that counts what is asked of the network from now on."""
    maps, asked = torch.stack([ATTRIBUTORS[method](network, inputs, target) for method in METHODS]), list[int]()
    network.register_forward_hook(lambda _, given, __: asked.append(given[0].shape[0]))
    return Audit(network, inputs, target, maps, asked)


def scores_of(audit: Audit, names: Sequence[str], steps: int) -> list[Tensor]:
    """Return the scores of metrics; what several of them read is asked for once."""
    ask: Mapping[str, Callable[[Audit, Sequence[str]], list[Tensor]]] = {
        "curves": partial(_by_curves, steps=steps),
        "subsets": _by_subsets,
        "sum": _by_sum,
        "randomised": _by_redrawn,
    }
    kinds = [(name, "randomised" if name == "weights_similarity" else METRICS[name].of) for name in names]
    return [
        score
        for kind in dict.fromkeys(kind for _, kind in kinds)
        for score in ask[kind](audit, [name for name, own in kinds if own == kind])
    ]


def _by_curves(audit: Audit, names: Sequence[str], steps: int) -> list[Tensor]:
    found = [
        removal_curve(audit.network, image, target, order, FILLS["blur"](image, BLACK), steps)
        for image, target, maps in audit.rows()
        for order in removal_orders(maps, _ties(maps))
    ]
    curves = torch.stack(found)[..., 1].unbind(1)
    return [METRICS[name](*curves) for name in names]


def _ties(maps: Maps) -> Tensor:
    """Return one order of the pixels for each map."""
    return torch.randperm(maps[0].numel(), generator=torch.Generator().manual_seed(0)).expand(len(maps), -1)


def _by_subsets(audit: Audit, names: Sequence[str]) -> list[Tensor]:
    by_design = {name: design for name in names if (design := METRICS[name].design)}
    scores = []
    for image, target, maps in audit.rows():
        whole = answers(audit.network, image, target)[0, 0]
        drops = {each: whole - _without(audit, image, target, DESIGNS[each]) for each in {*by_design.values()}}
        sums = {design: sums_over_cells(maps, DESIGNS[design]).float() for design in drops}
        scores += [METRICS[name](sums[each], drops[each].expand(len(maps), -1)) for name, each in by_design.items()]
    return scores


def _without(audit: Audit, image: Tensor, target: Tensor, cells: Tensor) -> Tensor:
    """Return the logits without each subset of the cells."""
    parts = (
        fill(image, masks_of_cells(part, *image.shape[2:]), FILLS["mean"](image, BLACK)) for part in cells.split(ROWS)
    )
    return torch.cat([answers(audit.network, part, target)[:, 0] for part in parts])


def _by_sum(audit: Audit, names: Sequence[str]) -> list[Tensor]:
    scores = []
    for image, target, maps in audit.rows():
        ends = torch.cat([image, FILLS["black"](image, BLACK)])
        logits = answers(audit.network, ends, target)[:, :1].expand(-1, len(maps))
        scores += [METRICS[name](maps.sum((1, 2)), *logits) for name in names]
    return scores


def _by_redrawn(audit: Audit, names: Sequence[str]) -> list[Tensor]:
    """Return the rank correlations with the maps of each re-drawn network, and the rise of complexity of the first."""
    scores = []
    for draw in range(REDRAWS if "weights_similarity" in names else 1):
        network = _redrawn(audit, 1, draw)
        metrics = [{"weights_similarity": "spearman"}.get(name, name) for name in names]
        for maps, method in zip(audit.maps, METHODS, strict=True):
            redrawn = _explain(audit, network, method)
            scores += [METRICS[name](maps, redrawn) for name in metrics if name == "spearman" or not draw]
    return scores


def _redrawn(audit: Audit, share: float, draw: int) -> nn.Module:
    stream = torch.Generator().manual_seed(draw)
    return redraw_network(audit.network, audit.inputs[:1], share, lambda _: stream)


def _explain(audit: Audit, network: nn.Module, method: str) -> Maps:
    maps: Maps = ATTRIBUTORS[method](network, audit.inputs, audit.target)
    return maps


def stages(audit: Audit) -> dict[str, Callable[[], object]]:
    """Return what the stages do with the defaults of a spec, without reading and writing."""
    copies = [_redrawn(audit, share, draw) for draw, share in enumerate((*SHARES, *[1.0] * REDRAWS))]
    return {
        "occlude": partial(_occlude, audit),
        "remove": partial(_remove, audit),
        "randomise, the maps": lambda: [_explain(audit, copy, method) for copy in copies for method in METHODS],
        "randomise, a copy of the network": lambda: [_redrawn(audit, 1, draw) for draw in range(audit.n_maps)],
        "score, what the network was asked for": partial(_score_qualities, audit),
        "score, similarities to re-drawn networks": partial(_score_similarities, audit, len(copies)),
    }


def _occlude(audit: Audit) -> None:
    """Ask about all subsets, what fills images whole, and the curves of the controls."""
    for image, target, maps in audit.rows():
        _without(audit, image, target, torch.cat([*DESIGNS.values()]))
        answers(audit.network, torch.cat([FILLS[name](image, BLACK) for name in WHOLE_FILLS]), target)
        for order in _ties(maps[:CONTROLS]):
            _remove_one(audit, image, target, order)


def _remove(audit: Audit) -> None:
    for image, target, maps in audit.rows():
        for order in removal_orders(maps, _ties(maps)):
            _remove_one(audit, image, target, order)


def _remove_one(audit: Audit, image: Tensor, target: Tensor, order: Tensor) -> None:
    for name in SPEC_FILLS:
        removal_curve(audit.network, image, target, order, FILLS[name](image, BLACK), SPEC_STEPS)


def _score_qualities(audit: Audit) -> list[Tensor]:
    """Return the scores of all qualities, of answers whose values do not matter for the time."""
    maps = audit.maps.flatten(0, 1)
    curve, logits = torch.rand(len(maps), SPEC_STEPS + 1), torch.rand(2, len(maps))
    given = {"curves": (curve, curve.flip(0)), "randomised": (maps, maps.flip(0)), "sum": (maps.sum((1, 2)), *logits)}
    sums: Mapping[str, Tensor] = {design: sums_over_cells(maps, cells).float() for design, cells in DESIGNS.items()}
    drops = {design: torch.rand_like(each) for design, each in sums.items()}
    return [entry(*given.get(entry.of) or (sums[entry.design], drops[entry.design])) for entry in QUALITIES.values()]


def _score_similarities(audit: Audit, n: int) -> list[Tensor]:
    maps = audit.maps.flatten(0, 1)
    return [METRICS[name](maps, maps.flip(0)) for name in SIMILARITIES for _ in range(n)]
