"""Estimates over sets of images, made from readings, and tidy frames, made from estimates."""

from collections.abc import Iterable, Mapping

import pandas as pd

from reports import statistics
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.formatting import counts_in_words
from reports.result import Estimate, ImageSet, ResultModel
from reports.statistics import SHARE, unit
from srd.registry import METRICS

COLUMNS = tuple(Estimate.model_fields)
"""The columns of a frame that an estimate fills."""


def estimate(readings: Readings, condition: str, method: str, metric: str, images: ImageSet) -> Estimate:
    """Return the estimate of a metric over a set of images."""
    sample = readings.defined_scores(condition, method, metric, images)
    if METRICS[metric].is_rate:
        return statistics.rate(sample.values == 1, SHARE, sample.excluded)  # of several draws, all hit
    return statistics.mean(sample.values, unit(metric), sample.excluded)


def difference(
    readings: Readings, first: tuple[str, str], second: tuple[str, str], similarity: str, images: ImageSet
) -> Estimate:
    """Return the mean of the first similarity minus the second, paired by image, with its t interval.

    Parameters
    ----------
    first, second
        Condition and method of each similarity.
    """
    both = readings.images(first[0], images) & readings.images(second[0], images)
    ours, theirs = (readings.scores(*each, similarity)[both] for each in (first, second))
    return statistics.mean_difference(
        ours, theirs, f"difference of {unit(similarity)}", f"undefined, or {NOT_COMPUTED}"
    )


def estimate_frame(parts: Iterable[ResultModel], columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Return models with an `estimate` as a frame, the fields of the estimate beside their own."""
    rows = ({**part.model_dump(exclude={"estimate"}), **fields_of(getattr(part, "estimate"))} for part in parts)  # noqa: B009
    return frame_of(rows, columns)


def frame_of(rows: Iterable[Mapping[str, object]], columns: Iterable[str] | None) -> pd.DataFrame:
    """Return rows as a frame. It has the given columns even without rows."""
    return pd.DataFrame(list(rows), columns=list(columns) if columns else None)


def frame_of_rows(rows: Iterable[Mapping[str, object]], least: tuple[str, ...]) -> pd.DataFrame:
    """Return rows, which all have the same fields, as a frame. Without rows it has the least columns."""
    found = list(rows)
    return frame_of(found, None if found else least)


def fields_of(estimate: Estimate) -> dict[str, object]:
    """Return an estimate as fields of a row."""
    return {**estimate.model_dump(exclude={"excluded"}), "excluded": counts_in_words(estimate.excluded)}
