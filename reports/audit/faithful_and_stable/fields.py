"""The fields of the result that set stability and faithfulness side by side."""

from typing import Literal

from reports.audit.calibration import CalibrationFields
from reports.audit.faithfulness.fields import FaithfulnessFields
from reports.result import Estimate, ResultModel

Answer = Literal["above random order", "below random order", "not decided"]


class Tradeoff(ResultModel):
    """The faithfulness of a method beside its stability under the strongest reliable attack on it."""

    method: str
    is_control: bool
    srg: Estimate
    condition: str
    """The attack; empty if the method was not attacked by a reliable one."""
    stability: Estimate | None
    """Calibrated stability under it; None without an attack."""
    is_at_floor: bool
    """Whether its maps moved out of the scale: they are no more alike than those of two images, drawn as 0."""
    reason: str
    """The reason why it has no place in the plane; empty if it has one."""

    @property
    def place(self) -> tuple[float, float] | None:
        """Return SRG and calibrated stability, 0 at the floor; None if either is missing."""
        if self.reason or self.srg.value is None or self.stability is None:
            return None
        return self.srg.value, self.stability.value or 0.0


class FaithfulUnderAttack(ResultModel):
    """Whether the attacked maps of a method still tell what the answer needs, on the attacked images."""

    method: str
    condition: str
    asked: int
    """Images that were asked about."""
    moved: int
    """Those whose map became no more like its own clean map than that of another image: own image is 0."""
    share: Estimate
    """Share of the moved maps whose SRG, on the attacked image, is above that of random order there."""
    low: float | None
    """One-sided 95 % Clopper-Pearson bounds of this share, which decide."""
    high: float | None
    answer: Answer
    """Above random order: the lower bound is above one half, which a map without meaning has by chance."""
    lead: Estimate
    """SRG of the moved maps less that of random order on the same attacked image."""


class FaithfulAndStableFields(FaithfulnessFields, CalibrationFields):
    """Fields that this section adds to the result."""

    tradeoffs: tuple[Tradeoff, ...]
    faithful_under_attack: tuple[FaithfulUnderAttack, ...]
    """Of each method with a reliable attack on it."""
