"""From readings to estimates: accuracy, stability, references, quality."""

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.conditions import CLEAN
from pipeline.schema import REASONS, Reason
from reports import statistics
from reports.readings import NOT_COMPUTED, Readings
from reports.result import Accuracy, Estimate, Images, Quality, Reference, Stability
from srd.registry import METRICS

IMAGES: tuple[Images, ...] = get_args(Images)
RATES = frozenset({"pointing_game"})  # metrics that are 0 or 1 per image: a Wilson interval, not a bootstrap
SHARE = "share of images, 0 to 1"


def accuracy(readings: Readings) -> tuple[Accuracy, ...]:
    """Rates of right and of kept predictions, per entry of the perturbation axis."""
    return tuple(_accuracy(readings, condition) for condition in readings.conditions)


def stability(readings: Readings) -> tuple[Stability, ...]:
    """Mean similarity of clean and perturbed maps, per entry, method, similarity and set of images."""
    return tuple(
        Stability(
            condition=condition,
            method=method,
            similarity=similarity,
            images=images,
            estimate=estimate(readings, condition, method, similarity, images),
        )
        for condition in readings.perturbed
        for method in readings.methods
        for similarity in readings.similarities
        for images in IMAGES
    )


def references(readings: Readings) -> tuple[Reference, ...]:
    """Mean similarity of the clean maps to the reference maps, per method, reference and similarity."""
    return tuple(
        Reference(
            method=method,
            reference=reference,
            similarity=similarity,
            estimate=_reference(readings, method, reference, similarity),
        )
        for method in readings.methods
        for reference in readings.references
        for similarity in readings.similarities
    )


def quality(readings: Readings) -> tuple[Quality, ...]:
    """Metrics of the clean maps alone, per method."""
    return tuple(
        Quality(method=method, metric=metric, estimate=estimate(readings, CLEAN, method, metric, "all"))
        for method in readings.methods
        for metric in readings.metrics
        if metric not in readings.similarities
    )


def mask_share(readings: Readings) -> Estimate | None:
    """Mean share of an image that its mask covers, empty masks left out; None without masks."""
    if not readings.has_masks:
        return None
    shares = np.asarray(readings.dataset["mask"].values).reshape(len(readings.image_ids), -1).mean(1)
    computed = readings.is_predicted(CLEAN)
    excluded = {NOT_COMPUTED: int((~computed).sum()), REASONS[Reason.EMPTY_MASK]: int((computed & (shares == 0)).sum())}
    values = shares[computed & (shares > 0)].astype(np.float64)
    return statistics.mean(values, "share of the image, 0 to 1", {why: n for why, n in excluded.items() if n})


def estimate(readings: Readings, condition: str, method: str, metric: str, images: Images) -> Estimate:
    """A metric over a set of images."""
    sample = readings.sample(condition, method, metric, images)
    if metric in RATES:
        return statistics.rate(sample.values > 0, SHARE, sample.excluded)
    return statistics.mean(sample.values, unit(metric), sample.excluded)


def difference(
    readings: Readings, first: tuple[str, str], second: tuple[str, str], similarity: str, images: Images
) -> Estimate:
    """Mean of the first similarity less the second, paired by image; each of a (condition, method)."""
    both = readings.images(first[0], images) & readings.images(second[0], images)
    differences = (readings.scores(*first, similarity) - readings.scores(*second, similarity))[both]
    absent = int(np.isnan(differences).sum())
    excluded = {f"undefined, or {NOT_COMPUTED}": absent} if absent else {}
    return statistics.mean(differences[~np.isnan(differences)], f"difference of {unit(similarity)}", excluded)


def unit(metric: str) -> str:
    """What a metric is counted in."""
    low, high = METRICS[metric].bounds
    return f"{METRICS[metric].title}, {low:g} to {high:g}"


def _accuracy(readings: Readings, condition: str) -> Accuracy:
    column = readings.predicted[:, readings.conditions.index(condition)]
    computed = readings.is_predicted(condition)
    comparable = computed & readings.is_predicted(CLEAN)
    right = (column == readings.label)[computed]
    return Accuracy(
        condition=condition,
        accuracy=statistics.rate(right, SHARE, _absent(computed)),
        kept=statistics.rate(readings.is_kept(condition)[comparable], SHARE, _absent(comparable)),
    )


def _absent(computed: NDArray[np.bool_]) -> dict[str, int]:
    missing = int((~computed).sum())
    return {NOT_COMPUTED: missing} if missing else {}


def _reference(readings: Readings, method: str, reference: str, similarity: str) -> Estimate:
    sample = readings.reference(method, reference, similarity)
    return statistics.mean(sample.values, unit(similarity), sample.excluded)
