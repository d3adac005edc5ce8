"""The entries of an image: photos and maps with their scales, in the order of conditions, in each the photo first."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from reports.pixels import USUAL_RULE, Mask, Pixels, clipped_share, colour_limit, reduce_by_area
from reports.viewer.contents import Shown, ShownImage, ShownMap
from reports.viewer.encoding import encode_change, encode_map, encode_mask, encode_photo

Entry = dict[str, Any]
NO_CLEAN_MAP = "99th percentile of |this map|, there being no clean map"


def entries(image: ShownImage, longest: int) -> Iterator[Entry]:
    """Yield the photo and the map of every method under each condition, their longer side at most `longest`."""
    clean = image.under[0]
    yield _clean_photo(clean, image.mask, longest)
    for condition, shown in enumerate(image.under):
        if condition:
            yield _change(clean.photo, shown, longest)
        for before, own in zip(clean.maps, shown.maps, strict=True):
            yield _map(before if condition else None, own, longest)


def _clean_photo(clean: Shown, mask: Mask | None, longest: int) -> Entry:
    if clean.photo is None:
        return {}
    photo = encode_photo(_reduce_channels(clean.photo, longest))
    return {"photo": photo} | ({} if mask is None else {"mask": encode_mask(_reduce_mask(mask, longest))})


def _change(clean: Pixels | None, shown: Shown, longest: int) -> Entry:
    if clean is None or shown.photo is None:
        return {}
    change, step = encode_change(_reduce_channels(shown.photo - clean, longest))
    return {"change": change, "step": step}


def _map(clean: ShownMap | None, own: ShownMap, longest: int) -> Entry:
    """Return the entry of a map. Its colours end where those of the clean map do, which is None for that map itself."""
    if own.pixels is None:
        return {"absent": own.reason}
    before = own.pixels if clean is None else clean.pixels
    end, rule = colour_limit(own.pixels if before is None else before, own.pixels)
    values, scale = encode_map(reduce_by_area(own.pixels, longest))
    entry: Entry = {"map": values, "scale": scale, "limit": end, "beyond": [clipped_share(own.pixels, end)]}
    if clean is not None and before is not None:
        entry["beyond"].append(clipped_share(own.pixels - before, end))
    rule = NO_CLEAN_MAP if before is None else rule
    return entry if rule == USUAL_RULE else entry | {"rule": rule}


def _reduce_channels(image: Pixels, longest: int) -> Pixels:
    return np.stack([reduce_by_area(channel, longest) for channel in image])


def _reduce_mask(mask: Mask, longest: int) -> Mask:
    """Return a mask of the pixels that lie at least half inside."""
    return np.asarray(reduce_by_area(mask.astype(np.float32), longest) >= 0.5)
