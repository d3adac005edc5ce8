"""The metrics of stored maps, under every condition, and why a score is NaN."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.plan.schema import Reason
from pipeline.plan.tasks import Task
from pipeline.stages.comparisons import needs_sign
from pipeline.stages.context import Context
from pipeline.stages.stored_maps import read_masks
from pipeline.stages.views import InView
from pipeline.store.store import Arrays
from srd.entries import MetricEntry
from srd.registry import MAP_METRICS
from srd.types import Maps, Masks, Scores

ENTRIES = tuple(MAP_METRICS.values())


def map_scores(context: Context, task: Task, maps: Maps, flat: Maps, in_view: InView) -> Arrays:
    """Return the score of every map by every metric, and the reasons.

    Parameters
    ----------
    maps
        As they are stored: (n, conditions, h, w).
    flat
        The same in the clean frame: (n * conditions, h, w).
    """
    n, p = maps.shape[:2]
    masks = read_masks(context, task)
    given: dict[str, tuple[Tensor, ...]] = {"two maps": (in_view.of_each(maps[:, 0]), in_view.maps), "map": (flat,)}
    if masks is not None:
        given["map and mask"] = (flat, *(each[:, None].expand_as(maps).flatten(0, 1) for each in masks))
    asked = [context.spec.measure.asks(entry.category) for entry in ENTRIES]
    columns = [_column(entry, given, is_asked) for entry, is_asked in zip(ENTRIES, asked, strict=True)]
    broken, unsigned = _not_finite(maps), needs_sign(MAP_METRICS, context.spec.explain.methods[task.column])
    scores = torch.stack(columns, 1).float().reshape(n, p, 1, -1).masked_fill(broken | unsigned, torch.nan)
    reasons = _reasons(scores, masks, broken, unsigned).masked_fill(~torch.tensor(asked), Reason.NOT_ASKED)
    return {"score": scores.numpy(), "reason": reasons.to(torch.uint8).numpy()}


def _column(entry: MetricEntry, given: Mapping[str, tuple[Tensor, ...]], is_asked: bool) -> Scores:
    if is_asked and entry.of in given:
        scores: Scores = entry(*given[entry.of])
        return scores
    return torch.full((len(given["map"][0]),), torch.nan)


def _not_finite(maps: Maps) -> Tensor:
    """Return which scores (n, p, 1, metric) use a map that is not finite: their own map, or the clean one."""
    own = ~maps.isfinite().flatten(2).all(2)[:, :, None, None]
    compares = torch.tensor([entry.of == "two maps" for entry in ENTRIES])
    return own | (own[:, :1] & compares)


def _reasons(scores: Scores, masks: tuple[Masks, Masks] | None, broken: Tensor, unsigned: Tensor) -> Tensor:
    """Return why each score is NaN; `masks` are the objects and the pixels to ignore."""
    needs_mask = torch.tensor([entry.of == "map and mask" for entry in ENTRIES])
    reasons = torch.where(broken, Reason.NOT_FINITE, scores.isnan() * Reason.NO_CONTRAST)
    if masks is None:
        reasons[..., needs_mask] = Reason.NO_MASKS
    else:
        is_object, is_ignored = (each.flatten(1) for each in masks)
        for reason, rows in (
            (Reason.EMPTY_MASK, ~is_object.any(1)),
            (Reason.UNKNOWN_OBJECT, is_ignored.all(1)),
        ):
            reasons[rows[:, None, None, None] & needs_mask & scores.isnan()] = reason
    return reasons.masked_fill(unsigned, Reason.UNSIGNED_METHOD)
