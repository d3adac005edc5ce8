"""The fields of the result that hold sensitivities, and the coupling of maps with the answer."""

from typing import Literal

from reports.audit.coupling import Coupling
from reports.audit.facts import RunFacts
from reports.result import Estimate, ResultModel


class MethodSensitivity(ResultModel):
    """One sensitivity of one method: mean over images. Numbers of other draws or strengths do not compare."""

    condition: str
    """The random change; of `lipschitz_found` empty, for it is over all conditions but geometric changes."""
    draws: int
    """Draws of each image; of `lipschitz_found` the number of all its conditions, draws counted one by one."""
    method: str
    name: str
    better: Literal["lower"] = "lower"
    estimate: Estimate
    draws_left_out: dict[str, int]
    """Draws, of all images together, without a value: reason -> how many."""
    found_under: str = ""
    """`lipschitz_found`: the condition that gave the largest value of most images; empty if none did."""
    found_on: int = 0
    """The number of these images."""


class SensitivityFields(RunFacts):
    """Fields that this section adds to the result."""

    sensitivities: tuple[MethodSensitivity, ...]
    couplings: tuple[Coupling, ...]
    """Exploratory: no verdict rests on them."""
