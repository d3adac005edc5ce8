"""Whether the highest pixel of a map lies on the object or close to it."""

import torch

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, known_pixels, put_last, scores_or_nan, side
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="pointing_game_near",
    title="Pointing game (tolerant)",
    source="srd.metrics.pointing_game_near:pointing_game_near",
    of="map and mask",
    category="localisation",
    unit="share of images",
    better="higher",
    bounds=(0, 1),
    is_rate=True,
    invariances=("positive scale of one", "shift", "increasing function"),
    reference="Zhang et al., IJCV 2018",
    note="Close means less than 15 pixels away of 224, as in TorchRay, or the same share of another shorter side.",
)

TOLERANCE = 15 / 224  # of the shorter side


def pointing_game_near(maps: Maps, masks: Masks, ignored: Masks | None = None) -> Scores:
    """Return 1 if a pixel of the mask is less than 15/224 of the side away from the highest pixel, else 0.

    The highest pixel is the first among equals that are not ignored. The score is NaN for an empty mask, or a map that
    is constant or not finite.

    References
    ----------
    Zhang et al. 2018; Fong, Patrick, Vedaldi 2019 (TorchRay, `PointingGame`).
    """
    maps, masks = put_last(maps, ignored), known_pixels(masks, ignored)
    flat = maps.flatten(1)
    first = flat.eq(flat.amax(1, keepdim=True)).int().argmax(1)
    rows, columns = (torch.arange(size, device=maps.device) for size in maps.shape[1:])
    down = (rows - (first // maps.shape[2]).unsqueeze(1)).square().unsqueeze(2)
    across = (columns - (first % maps.shape[2]).unsqueeze(1)).square().unsqueeze(1)
    near = down + across < (TOLERANCE * side(maps)) ** 2
    hit = (near & masks).flatten(1).any(1)
    return scores_or_nan(masks.flatten(1).any(1) & has_order(maps), hit.to(maps.dtype), maps)
