"""What every result is made of: frozen parts, and estimates with their n, interval and unit."""

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

Images = Literal["all", "prediction kept"]
"""Which images a mean is over: all, or those whose predicted class equals that of the clean image."""
IMAGES: tuple[Images, ...] = get_args(Images)

MEASURE = "pearson"
"""The similarity by which summaries, headlines and verdicts speak."""


class Part(BaseModel):
    """A frozen piece of the result."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Estimate(Part):
    """A mean or a rate over images."""

    value: float | None
    """None where nothing could be measured; `reason` then says why."""
    low: float | None
    """Lower end of the interval; None where there is no interval, `reason` then says why."""
    high: float | None
    n: int
    """Images that the value is made from."""
    unit: str
    interval: Literal["BCa bootstrap", "Wilson score", "none"]
    reason: str = ""
    excluded: dict[str, int]
    """Images of the same set that were left out because their score is undefined or missing: reason -> how many."""
