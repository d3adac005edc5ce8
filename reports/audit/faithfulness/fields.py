"""The fields of the result that hold removal curves, qualities of faithfulness, and leads over removal controls."""

from typing import Literal

from reports.audit.facts import RunFacts
from reports.audit.localisation import Quality
from reports.result import Estimate, ResultModel

Order = Literal["most", "least"]


class CurvePoint(ResultModel):
    """The mean answer where a share of the pixels is removed."""

    removed: float
    """Share of the pixels, 0 to 1."""
    mean: float
    """Mean probability of the explained class."""
    low: float | None
    """The ends of the 95 % BCa interval at this share alone, in [0, 1]; None where there is none."""
    high: float | None


class RemovalCurve(ResultModel):
    """The mean removal curve of a method or a control, over all images that were asked about."""

    method: str
    """The method, or the control, whose map gives the order of removal."""
    is_control: bool
    """Whether it is the order of a control, which every run has, and not of a method of the spec."""
    fill: str
    order: Order
    """Whether the pixels of the highest or of the lowest values are removed first."""
    n: int
    points: tuple[CurvePoint, ...]


class ControlScore(ResultModel):
    """A score of the removal curves of an order that never saw the network."""

    control: str
    metric: str
    estimate: Estimate


class RemovalLead(ResultModel):
    """The SRG of a method, or of a control, less that of a control, paired by image."""

    method: str
    """The method, or the control itself."""
    is_control: bool
    over: str
    """The control."""
    fill: str
    difference: Estimate


class FaithfulnessFields(RunFacts):
    """Fields that this section adds to the result. They are empty where the spec did not ask for them."""

    asked_about: int
    """Number of images whose pixels were removed."""
    removal_curves: tuple[RemovalCurve, ...]
    faithfulness: tuple[Quality, ...]
    """Qualities of the clean maps of every method."""
    control_scores: tuple[ControlScore, ...]
    removal_leads: tuple[RemovalLead, ...]
