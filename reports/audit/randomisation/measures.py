"""The numbers of the section on randomisation."""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.plan.axes import WHOLE_DEPTH
from reports import statistics
from reports.audit.asked_again import ALWAYS_REDRAWN, floored_values, is_redrawn, redrawn_rises, redrawn_values
from reports.audit.image_values import ImageValues
from reports.audit.localisation import Quality
from reports.audit.randomisation.fields import DepthSimilarity, RedrawnFloor
from reports.audit.readings import Readings
from reports.result import MEASURE, Estimate
from reports.statistics import unit

FLOOR = "other_image"


def images_explained_again(readings: Readings) -> int:
    """Return the number of images that were explained with re-drawn weights, by any method."""
    if not readings.qualities.redraws:
        return 0
    return int(np.any([is_redrawn(readings, method) for method in readings.methods], axis=0).sum())


def depth_similarities(readings: Readings) -> Iterator[DepthSimilarity]:
    """Yield the similarity of the clean maps of each method at each depth, the full one last."""
    depths = readings.qualities.depths
    for method in readings.methods:
        for name in dict.fromkeys(depth.partition("#")[0] for depth in depths):
            yield _similarity(readings, method, name, [each for each in depths if each.partition("#")[0] == name])


def _similarity(readings: Readings, method: str, name: str, draws: Sequence[str]) -> DepthSimilarity:
    known = np.stack([redrawn_values(readings, method, draw, MEASURE).values for draw in draws])
    is_whole = name == WHOLE_DEPTH
    return DepthSimilarity(
        method=method,
        depth=name,
        redraws=len(draws),
        images=int((~np.isnan(known).any(0)).sum()),
        estimate=_over_redraws(readings, method, draws, "") if is_whole
        else redrawn_values(readings, method, draws[0], MEASURE).mean(unit(MEASURE)),
        above_other_image=_over_redraws(readings, method, draws, FLOOR) if is_whole else None,
    )  # fmt: skip


def _over_redraws(readings: Readings, method: str, draws: Sequence[str], floor: str) -> Estimate:
    what = f"difference of {unit(MEASURE)}" if floor else unit(MEASURE)
    return _mean_of_redraws([redrawn_values(readings, method, draw, MEASURE, floor) for draw in draws], what)


def _mean_of_redraws(found: Sequence[ImageValues], what: str) -> Estimate:
    """Return the mean over re-draws of means over images; of those images that have a value for each."""
    values = np.stack([each.values for each in found])
    means = values[:, ~np.isnan(values).any(0)]
    excluded = max((each.excluded for each in found), key=lambda counts: sum(counts.values()))
    estimate = statistics.mean_by_t(means.mean(1) if means.size else np.empty(0), f"{what}; n: re-draws", excluded)
    return estimate.model_copy(update={"reason": estimate.reason.replace("images", "re-draws")})


def redrawn_floors(readings: Readings) -> Iterator[RedrawnFloor]:
    """Yield the similarity of the clean maps of each method to those of another image, over the same images."""
    for method in readings.methods if readings.qualities.redraws else ():
        scores = readings.reference_scores(method, FLOOR, MEASURE)
        values = floored_values(readings, method, MEASURE, FLOOR, scores)
        yield RedrawnFloor(method=method, estimate=values.mean(unit(MEASURE)))


def complexity_rises(readings: Readings) -> Iterator[Quality]:
    """Yield how much more complex the maps of each method become at full depth. The re-draws are the units."""
    for method in readings.methods if readings.qualities.redraws else ():
        estimate = _mean_of_redraws(redrawn_rises(readings, method), unit(ALWAYS_REDRAWN))
        yield Quality(method=method, metric=ALWAYS_REDRAWN, estimate=estimate)
