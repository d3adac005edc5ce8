"""Goals of an attack on an explanation: maps -> one value per row, higher is better, differentiable.

The value is NaN for a map without content: a constant map where maps are correlated, a zero map where shares of
relevance are computed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from srd.metrics.pearson import pearson
from srd.types import Maps, Masks, Scores


@dataclass(frozen=True)
class Towards:
    """Correlation with the wanted maps (targeted; Dombrowski et al. 2019).

    It replaces the squared distance of maps of sum 1. The scale of a map and the number of its pixels therefore do not
    change the weight of the goal against the weight of the prediction.
    """

    wanted: Maps

    def __call__(self, maps: Maps) -> Scores:
        return pearson(maps, self.wanted)


@dataclass(frozen=True)
class Away:
    """Negative correlation with the clean maps (untargeted)."""

    clean: Maps

    def __call__(self, maps: Maps) -> Scores:
        return -pearson(maps, self.clean)


@dataclass(frozen=True)
class OutOf:
    """Share of |relevance| outside of a region."""

    region: Masks

    def __call__(self, maps: Maps) -> Scores:
        return (_shares(maps) * ~self.region).sum((1, 2))


@dataclass(frozen=True)
class MoveCentre:
    """Distance of the centre of |relevance| from its place in the clean map, as a share of the diagonal.

    References
    ----------
    Ghorbani et al. 2019.
    """

    clean: Maps

    def __call__(self, maps: Maps) -> Scores:
        diagonal = float(torch.tensor([maps.shape[1], maps.shape[2]]).double().norm())
        squared = (_centre(maps) - _centre(self.clean)).square().sum(1)
        return (squared + torch.finfo(maps.dtype).tiny).sqrt() / diagonal


def _shares(maps: Maps) -> Maps:
    size = maps.abs()
    return size / size.sum((1, 2), keepdim=True)


def _centre(maps: Maps) -> Tensor:
    """Return row and column of the centre of |relevance|: (n, 2), in pixels."""
    rows, columns = (torch.arange(size, dtype=maps.dtype, device=maps.device) for size in maps.shape[1:])
    share = _shares(maps)
    return torch.stack([(share.sum(2) * rows).sum(1), (share.sum(1) * columns).sum(1)], 1)
