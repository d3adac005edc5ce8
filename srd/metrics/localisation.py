"""Whether a map points at the object, given the mask of the object."""

import torch

from srd.types import Maps, Masks, Scores


def pointing_game(maps: Maps, masks: Masks) -> Scores:
    """Return 1 if the highest pixel, the first among equals, lies in the mask, else 0, without tolerance.

    It is NaN for an empty mask or a constant map.

    References
    ----------
    Zhang et al. 2018.
    """
    flat, inside = maps.flatten(1), masks.flatten(1)
    first = flat.eq(flat.amax(1, keepdim=True)).int().argmax(1, keepdim=True)
    hit = inside.gather(1, first)[:, 0].to(maps.dtype)
    undefined = ~inside.any(1) | flat.eq(flat[:, :1]).all(1)
    return torch.where(undefined, torch.nan, hit)


def attribution_localisation(maps: Maps, masks: Masks) -> Scores:
    """Return the share of the positive attribution that lies in the mask, in [0, 1].

    It is NaN for an empty mask or a map without positive pixels.

    References
    ----------
    Kohlbrenner et al. 2020, eq. 10.
    """
    positive = maps.clamp(min=0).flatten(1)
    inside = masks.flatten(1)
    share = (positive * inside).sum(1) / positive.sum(1)
    return torch.where(inside.any(1), share, torch.nan)
