"""The base of all result models, and the estimate: a number with its n, interval and unit."""

from collections.abc import Iterable
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from srd.registry import METRICS

ImageSet = Literal["all", "prediction kept"]
"""The images that a mean is over: all, or those whose predicted class equals that of the clean image."""
IMAGE_SETS: tuple[ImageSet, ...] = get_args(ImageSet)

Verdict = Literal["", "attack unreliable", "attack unchecked"]
"""The verdict on an attack; empty if it is reliable."""

IntervalName = Literal["BCa bootstrap", "Wilson score", "t", "none"]

MEASURE = "pearson"
"""The similarity that summaries, headlines and verdicts use."""


def shown_metrics(names: Iterable[str]) -> list[str]:
    """Return the metrics that tables and figures show, each once: core ones, MEASURE first. Files have them all."""
    core = (name for name in dict.fromkeys(names) if METRICS[name].core)
    return sorted(core, key=lambda name: name != MEASURE)


class ResultModel(BaseModel):
    """The base of all models of a result. They are frozen and refuse unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Estimate(ResultModel):
    """A mean or a rate over images."""

    value: float | None
    """None where nothing could be measured; `reason` then says why."""
    low: float | None
    """Lower end of the interval; None where there is no interval, `reason` then says why."""
    high: float | None
    n: int
    """Images that the value is made from; where the unit says so, re-draws of the weights."""
    unit: str
    interval: IntervalName
    reason: str = ""
    excluded: dict[str, int]
    """Images of the same set that were left out because their score is undefined or missing: reason -> how many."""
