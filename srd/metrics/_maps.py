"""Parts that metrics of stored maps share: pixels in order, their ranks, maps without contrast, sums in float64."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srd.types import Maps, Masks, Scores

TOP = 0.05  # share of the pixels that count as strongest


def is_constant(maps: Maps) -> Tensor:
    """Return which maps have the same value at all pixels: (n,)."""
    flat = maps.flatten(1)
    return flat.eq(flat[:, :1]).all(1)


def is_finite(maps: Maps) -> Tensor:
    """Return which maps hold neither NaN nor infinity: (n,)."""
    return maps.isfinite().flatten(1).all(1)


def has_order(maps: Maps) -> Tensor:
    """Return which maps have higher and lower pixels: they are finite and not constant, (n,)."""
    flat = maps.flatten(1)
    least, most = flat.amin(1), flat.amax(1)  # both NaN if any pixel is; aminmax takes twenty times as long
    return least.isfinite() & most.isfinite() & (least < most)


def scores_or_nan(defined: Tensor, scores: Tensor, like: Maps) -> Scores:
    """Return the scores in the maps' type, NaN where they are not defined."""
    return torch.where(defined, scores, torch.nan).to(like.dtype)


def total(values: Tensor) -> Tensor:
    """Return the sums over the pixels, (n, h, w) -> (n,) in float64.

    Sums over w, then over h, come out the same for every batch and number of threads; a sum over all pixels of a batch
    of one would be shared out among threads.
    """
    return values.double().sum(2).sum(1)


def side(maps: Maps) -> int:
    """Return the shorter side in pixels, by which radii that papers give for 224 pixels are scaled."""
    return min(maps.shape[1:])


def put_last(maps: Maps, ignored: Masks | None) -> Maps:
    """Return the maps with all ignored pixels (n, h, w) at one value below that of every other pixel.

    A map that is constant on the other pixels becomes constant. One without other pixels is not finite.
    """
    if ignored is None:
        return maps
    least = maps.masked_fill(ignored, torch.inf).amin((1, 2), keepdim=True)
    most = maps.masked_fill(ignored, -torch.inf).amax((1, 2), keepdim=True)
    next_lower = least.nextafter(torch.full_like(least, -torch.inf))
    below = next_lower.minimum(least - torch.finfo(maps.dtype).tiny)  # the number next to 0 may be flushed to it
    return torch.where(ignored, below.where(least < most, least), maps)


def known_pixels(masks: Masks, ignored: Masks | None) -> Masks:
    """Return the pixels of the masks that are not ignored."""
    return masks if ignored is None else masks & ~ignored


def top_k(maps: Maps) -> Masks:
    """Return the 5 % highest pixels of each map, at least one; ties go to the first pixel."""
    size = maps.shape[1:].numel()
    return highest(maps, torch.full((len(maps),), max(1, round(TOP * size)), device=maps.device))


def highest(maps: Maps, counts: Tensor) -> Masks:
    """Return the `counts` (n,) highest pixels of each map; ties go to the first pixel. Counts are at least 1."""
    flat = maps.flatten(1)
    last = _nth_highest(flat, counts)
    above, equal = flat > last, flat == last
    among_equals = equal.cumsum(1, dtype=torch.int32)
    free = (counts - above.sum(1)).unsqueeze(1)
    return (above | (equal & (among_equals <= free))).view_as(maps)


def _nth_highest(flat: Tensor, counts: Tensor) -> Tensor:
    """Return the value of the pixel that has the place counts[i] in row i: (n, 1)."""
    size = flat.shape[1]
    if _is_on_cpu(flat) and bool((counts == counts[:1]).all()) and len(counts):
        place = size - int(counts[0])
        return torch.from_numpy(np.partition(_array(flat), place, axis=1)[:, place : place + 1])
    return ascending(flat).gather(1, (size - counts).unsqueeze(1))


def ascending(flat: Tensor) -> Tensor:
    """Return each row in ascending order, NaN last. On the CPU numpy sorts, many times faster than torch does there."""
    return torch.from_numpy(np.sort(_array(flat), axis=1)) if _is_on_cpu(flat) else flat.sort(dim=1).values


def ascending_order(flat: Tensor) -> Tensor:
    """Return the positions that put each row in ascending order; equals come in any order."""
    return torch.from_numpy(np.argsort(_array(flat), axis=1)) if _is_on_cpu(flat) else flat.argsort(dim=1)


def doubled_ranks(in_order: Tensor) -> Tensor:
    """Return twice the average rank, from 0, of each element of rows in ascending order: whole numbers, int32."""
    places = torch.arange(in_order.shape[1], dtype=torch.int32, device=in_order.device).expand(in_order.shape)
    changes = in_order[:, 1:] != in_order[:, :-1]
    edge = torch.ones_like(changes[:, :1])
    first = places.where(torch.cat([edge, changes], 1), 0).cummax(1).values
    last = places.where(torch.cat([changes, edge], 1), in_order.shape[1] - 1).flip(1).cummin(1).values.flip(1)
    return first + last


def doubled_rank_sums(flat: Tensor, inside: Tensor) -> Tensor:
    """Return twice the sum of the average ranks, from 0, of the pixels inside, (n, p) and (n, p) -> (n,) in float64.

    The sums are exact. In single precision on the CPU they are the places in two sorts of whole numbers, each a value
    and a last bit that says inside: once the highest of equal pixels are those inside, once the lowest.
    """
    if _is_on_cpu(flat) and flat.dtype == torch.float32:
        rows = zip(_array(flat), _array(inside), strict=True)
        return torch.tensor([_places_of_both_orders(*row) for row in rows], dtype=torch.float64)
    order = ascending_order(flat)
    return (doubled_ranks(flat.gather(1, order)) * inside.gather(1, order)).sum(1).double()


def _places_of_both_orders(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Return the sum of the places of the pixels inside, those of the two orders together."""
    inside_last = np.sort(2 * _whole_numbers(values) + inside)
    inside_first = np.sort(inside_last ^ 1, kind="stable")  # quick, as all but ties is in order
    places = np.arange(len(values), dtype=np.float64)
    return float((inside_last & 1 == 1) @ places + (inside_first & 1 == 0) @ places)


def _whole_numbers(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return whole numbers of 32 bits in the same order as the values, of which -0 equals 0."""
    bits = (values + np.float32(0)).view(np.int32)
    return (bits ^ (bits >> 31 & np.int32(2**31 - 1))).astype(np.int64)


def _is_on_cpu(flat: Tensor) -> bool:
    return flat.device.type == "cpu"


def _array(flat: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = flat.detach().numpy()
    return array
