"""From readings to estimates over a set of images, and from estimates to the rows of a tidy frame."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from reports import statistics
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.result import Estimate, Images, Part
from reports.statistics import SHARE, unit
from srd.registry import METRICS

COLUMNS = tuple(Estimate.model_fields)
"""Of a frame, that an estimate fills."""


def estimate(readings: Readings, condition: str, method: str, metric: str, images: Images) -> Estimate:
    """Return the estimate of a metric over a set of images."""
    sample = readings.sample(condition, method, metric, images)
    if METRICS[metric].is_rate:
        return statistics.rate(sample.values > 0, SHARE, sample.excluded)
    return statistics.mean(sample.values, unit(metric), sample.excluded)


def difference(
    readings: Readings, first: tuple[str, str], second: tuple[str, str], similarity: str, images: Images
) -> Estimate:
    """Return the mean of the first similarity less the second, paired by image; each of a (condition, method)."""
    both = readings.images(first[0], images) & readings.images(second[0], images)
    differences = (readings.scores(*first, similarity) - readings.scores(*second, similarity))[both]
    absent = int(np.isnan(differences).sum())
    excluded = {f"undefined, or {NOT_COMPUTED}": absent} if absent else {}
    return statistics.mean(differences[~np.isnan(differences)], f"difference of {unit(similarity)}", excluded)


def flat(parts: Iterable[Part], columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return parts of a result as a frame, the fields of their `estimate` beside their own."""
    rows = ({**part.model_dump(exclude={"estimate"}), **fields_of(getattr(part, "estimate"))} for part in parts)  # noqa: B009
    return frame_of(rows, columns)


def frame_of(rows: Iterable[Mapping[str, object]], columns: Iterable[str] | None) -> pd.DataFrame:
    """Return rows as a frame that has these columns even without rows."""
    return pd.DataFrame(list(rows), columns=list(columns) if columns else None)


def fields_of(estimate: Estimate) -> dict[str, object]:
    """Return an estimate as a part of a row."""
    left_out = "; ".join(f"{count}: {why}" for why, count in estimate.excluded.items())
    return {**estimate.model_dump(exclude={"excluded"}), "excluded": left_out}
