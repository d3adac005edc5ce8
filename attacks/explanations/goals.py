"""What an attack on an explanation wants of the map: maps -> one value a row, higher is better, differentiable.

NaN of a map that says nothing: constant where maps are correlated, zero where shares of relevance are told.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from srd.metrics.similarity import pearson
from srd.types import Maps, Masks, Scores


@dataclass(frozen=True)
class Towards:
    """Correlation with the wanted maps (targeted; Dombrowski et al. 2019).

    In place of their squared distance of maps of sum 1: the scale of a map and the number of its pixels then weigh
    nothing against the price of a changed prediction.
    """

    wanted: Maps

    def __call__(self, maps: Maps) -> Scores:
        return pearson(maps, self.wanted)


@dataclass(frozen=True)
class Away:
    """Correlation with the clean maps, with the sign changed (untargeted)."""

    clean: Maps

    def __call__(self, maps: Maps) -> Scores:
        return -pearson(maps, self.clean)


@dataclass(frozen=True)
class OutOf:
    """The share of the |relevance| that lies outside of a region."""

    region: Masks

    def __call__(self, maps: Maps) -> Scores:
        return (_shares(maps) * ~self.region).sum((1, 2))


@dataclass(frozen=True)
class MoveCentre:
    """Distance of the centre of |relevance| from where it was, as a share of the diagonal (Ghorbani et al. 2019)."""

    clean: Maps

    def __call__(self, maps: Maps) -> Scores:
        diagonal = float(torch.tensor([maps.shape[1], maps.shape[2]]).double().norm())
        squared = (_centre(maps) - _centre(self.clean)).square().sum(1)
        return (squared + torch.finfo(maps.dtype).tiny).sqrt() / diagonal


def _shares(maps: Maps) -> Maps:
    size = maps.abs()
    return size / size.sum((1, 2), keepdim=True)


def _centre(maps: Maps) -> Tensor:
    """Row and column of the centre of |relevance|: (n, 2), in pixels."""
    rows, columns = (torch.arange(size, dtype=maps.dtype, device=maps.device) for size in maps.shape[1:])
    share = _shares(maps)
    return torch.stack([(share.sum(2) * rows).sum(1), (share.sum(1) * columns).sum(1)], 1)
