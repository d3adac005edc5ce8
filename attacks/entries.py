"""What a spec and a report know of a perturbation: its threat model as plain facts. Nothing here imports torch."""

import math
from dataclasses import dataclass
from typing import Literal

from srd.entries import Entry

Family = Literal["noise", "corruption", "geometric change", "attack on the prediction", "attack on the explanation"]
"""Of perturbations, in the order of reports."""

Access = Literal["none", "white box", "transfer", "scores only"]
"""What the attacker reads: nothing, the network and its gradients, those of another method or network, its answers."""

Norm = Literal["L-inf", "L2"]


@dataclass(frozen=True)
class Scale:
    """What a strength measures. Strength 0 is the clean image; every strength is above 0."""

    name: str
    most: float
    example: str
    """As a spec writes it."""
    whole: bool = False
    """Only whole numbers."""


EPSILON = Scale("epsilon", 1, '"8/255"')
"""Radius of an L-inf ball, pixels in [0, 1]."""
L2_EPSILON = Scale("epsilon", math.inf, "0.5")
"""Radius of an L2 ball over all channels of all pixels, which lie in [0, 1]."""
SIGMA = Scale("sigma", 1, "0.1")
"""Standard deviation of noise, pixels in [0, 1]."""
AMOUNT = Scale("amount", 1, "0.05")
"""Share of the pixels."""
SEVERITY = Scale("severity", 5, "3", whole=True)
DEGREES = Scale("degrees", 180, "15")
SHIFT = Scale("share of the side", 1, "0.1")
ZOOM = Scale("zoom", 1, "0.2")
"""Size of the object's change: 0.2 is a fifth larger."""


@dataclass(frozen=True, kw_only=True)
class PerturbationEntry(Entry):
    """A `Perturbation` and its threat model: goal, constraint (norm and strength), access, budget, cost."""

    family: Family
    goal: str
    access: Access
    norm: Norm | None
    """Norm of the ball whose radius is the strength; None where the strength is not a radius."""
    strength: Scale | None
    """None where there is no strength to choose."""
    budget: tuple[str, ...] = ()
    """Options that say how much work the attacker may do, such as steps."""
    cost: str
    """In passes of the network, per image."""
    stochastic: bool = True
    """Draws random numbers, by its default options."""
    smallest: bool = False
    """Seeks the smallest change that serves its goal; a strength is only its bound."""
    clean_where_it_fails: bool = False
    """Images of which it reaches no goal come back as they were, however large the strength."""
    attacks_attributor: bool = False
    """Takes `attributor`, the method it is optimised against."""

    @property
    def constraint(self) -> str:
        """What holds of the perturbed images."""
        if self.strength is None:
            return "none"
        return f"{self.norm} <= {self.strength.name}" if self.norm else self.strength.name
