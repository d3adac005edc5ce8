"""How far the centre of mass of a map moves."""

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import is_finite, scores_or_nan, total
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="mass_centre_shift",
    title="Shift of the mass centre",
    source="srd.metrics.mass_centre_shift:mass_centre_shift",
    of="two maps",
    category="similarity",
    unit="share of the diagonal",
    better="lower",
    bounds=(0, 1),
    core=True,
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "negation"),
    reference="Ghorbani, Abid, Zou, AAAI 2019",
    note="The authors cut centres down to whole pixels. A lower bound of the Wasserstein-1 distance of |map| / sum.",
)


def mass_centre_shift(a: Maps, b: Maps) -> Scores:
    """Return the distance of the mass centres of |a| and |b| over the diagonal, in [0, 1]; in float64.

    It is NaN if a map is zero or not finite.

    References
    ----------
    Ghorbani et al. 2019, section 3.
    """
    shift = _centre(a) - _centre(b)
    diagonal = (a.shape[1] ** 2 + a.shape[2] ** 2) ** 0.5
    distance = (shift[:, 0].square() + shift[:, 1].square()).sqrt()
    return scores_or_nan(is_finite(a) & is_finite(b), distance / diagonal, a)


def _centre(maps: Maps) -> Tensor:
    """Return the row and column of the mass centre of |map|: (n, 2), NaN for a zero map."""
    mass = maps.abs().double()
    axes = (mass.sum(2), mass.sum(1))
    moments = [(axis * torch.arange(axis.shape[1], device=axis.device)).sum(1) for axis in axes]
    return torch.stack(moments, 1) / total(mass).unsqueeze(1)
