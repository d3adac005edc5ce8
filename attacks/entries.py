"""Facts about a perturbation for specs and reports: its threat model. Nothing here imports torch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, Self

from srd.entries import Entry

Family = Literal["noise", "corruption", "geometric change", "attack on the prediction", "attack on the explanation"]
"""Families of perturbations, in the order of reports."""

Access = Literal["none", "white box", "transfer", "scores only"]
"""The attacker reads nothing, network and gradients, those of another method or network, or answers alone."""

Norm = Literal["L-inf", "L2"]


@dataclass(frozen=True)
class Scale:
    """The scale of a strength. Strength 0 is the clean image; every strength is above 0."""

    name: str
    most: float
    example: str
    """A strength as a spec writes it."""
    whole: bool = False
    """Whether strengths are whole numbers."""


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
"""Change of the object's size: 0.2 is a fifth larger."""


EVIDENCE: Mapping[str, str] = MappingProxyType(
    {
        "clean": "what the attack increases, at the clean image",
        "quarter": "the best of a quarter of the steps",
        "half": "the best of half of the steps",
        "full": "the best of all steps",
        "first_restart": "the best of the first restart",
        "softplus": "the best of the restarts that differentiate through softplus in place of ReLU",
        "exact": "the best of the restarts that differentiate through the network as it is",
        "gain_first": "what the first restart differentiates, at its first step",
        "gain_last": "the same at its last step",
        "gradient_error": "relative error of the gradient's length, against finite differences in double precision",
        "random_point": "what the attack increases, at a random point of the ball",
        "random_step": "the same at a random step as large as the ball allows: random signs, or a random direction",
        "pgd": "the same at an image that PGD on the prediction made, of equal size",
    }
)
"""Values that an attack on an explanation reports about its own search, for each image."""


@dataclass(frozen=True, kw_only=True)
class PerturbationEntry(Entry):
    """A `Perturbation` and its threat model: goal, constraint (norm and strength), access, budget, cost."""

    family: Family
    goal: str
    access: Access
    norm: Norm | None
    """Norm of the ball whose radius is the strength; None where the strength is not a radius."""
    strength: Scale | None
    """Scale of the strength; None where there is no strength to choose."""
    budget: tuple[str, ...] = ()
    """Options that limit the work of the attacker, such as steps."""
    proportional_to: tuple[str, ...] = ()
    """Options of the budget to which its work is proportional, if all of them change by the same factor."""
    cost: str
    """Cost in passes of the network, per image."""
    stochastic: bool = True
    """Whether it draws random numbers with its default options."""
    smallest: bool = False
    """Whether it seeks the smallest change that reaches its goal; a strength is then only a bound."""
    clean_where_it_fails: bool = False
    """Whether an image whose goal it does not reach comes back unchanged, however large the strength is."""
    attacks_attributor: bool = False
    """Whether it takes `attributor`, the attacked method, and returns `AttackResult` (if universal: a displacement)."""
    needs_gradient: bool = True
    """Whether it needs the gradient of the attacked method; else it asks for maps alone."""
    needs_masks: bool = False
    channels: tuple[int, ...] = ()
    """The numbers of channels that images may have; () allows any."""
    keeps_map: bool = False
    """Whether it wants the map unchanged; other attacks on explanations want it changed."""
    applied: str = ""
    """`module:function` that applies to each image, as an attack, what the entry's own function finds for all."""
    inverse: str = ""
    """`module:function` that moves maps back into the frame of the clean images, where the change moves the picture.

    Its type is `(maps, strength, generators) -> (maps, seen)`, with the streams of the change. `seen` (n, h, w) says
    which pixels of the clean images were in view.
    """

    @property
    def constraint(self) -> str:
        """Return the constraint on the perturbed images."""
        if self.strength is None:
            return "none"
        return f"{self.norm} <= {self.strength.name}" if self.norm else self.strength.name

    @property
    def draws_anew(self) -> bool:
        """Return whether it is a random change that searches for nothing, so that every draw of it is as good."""
        return self.stochastic and self.access == "none"

    @property
    def is_universal(self) -> bool:
        """Return whether one displacement is found for all images, in a stage before they are perturbed."""
        return bool(self.applied)

    def application(self) -> "PerturbationEntry":
        """Return the entry of `applied`, which takes the `displacement` that this entry returned."""
        return replace(self, source=self.applied, applied="")

    def misfit(self, shape: tuple[int, int, int], n_classes: int) -> str:
        """Return why it cannot take images (channels, height, width) of so many classes; "" if it can."""
        if self.channels and shape[0] not in self.channels:
            return f"takes images of {' or '.join(map(str, self.channels))} channels, these have {shape[0]}"
        return ""

    def in_l2(self, title: str) -> Self:
        """Return the same entry in a ball of the L2 norm, which its function takes as `norm`."""
        fixed = {**self.fixed, "norm": "L2"}
        return replace(self, name=f"{self.name}_l2", title=title, norm="L2", strength=L2_EPSILON, fixed=fixed)

    def load_inverse(self) -> Callable[..., Any]:
        """Import and return the function that `inverse` names."""
        return replace(self, source=self.inverse).load()
