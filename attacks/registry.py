"""The perturbations that a spec may name, with their threat model as plain facts; nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from srd.entries import Entry, registered


@dataclass(frozen=True, kw_only=True)
class PerturbationEntry(Entry):
    """A `Perturbation` and what a report must know of it."""

    family: Literal["noise", "attack on the prediction", "attack on the explanation"]
    goal: str
    access: Literal["none", "white box"]
    norm: Literal["L-inf"] | None
    """Norm of the ball whose radius is the strength; None where the strength is not a radius."""
    strength: Literal["epsilon", "sigma"]
    cost: str
    """In passes of the network, per image."""
    attacks_attributor: bool = False
    """Takes `attributor`, the method it is optimised against."""


PERTURBATIONS: Mapping[str, PerturbationEntry] = registered(
    PerturbationEntry(
        name="gaussian_noise",
        title="Gaussian noise",
        source="attacks.noise:gaussian_noise",
        family="noise",
        goal="none",
        access="none",
        norm=None,
        strength="sigma",
        cost="none",
    ),
    PerturbationEntry(
        name="random_sign",
        title="Random signs",
        source="attacks.noise:random_sign",
        family="noise",
        goal="none: the control of equal size for L-inf attacks",
        access="none",
        norm="L-inf",
        strength="epsilon",
        cost="none",
    ),
    PerturbationEntry(
        name="fgsm",
        title="FGSM",
        source="attacks.predictions:fgsm",
        family="attack on the prediction",
        goal="any class but the label",
        access="white box",
        norm="L-inf",
        strength="epsilon",
        cost="1 forward, 1 backward",
        reference="Goodfellow, Shlens, Szegedy, ICLR 2015; torchattacks",
    ),
    PerturbationEntry(
        name="pgd",
        title="PGD",
        source="attacks.predictions:pgd",
        family="attack on the prediction",
        goal="any class but the label",
        access="white box",
        norm="L-inf",
        strength="epsilon",
        cost="steps x (1 forward, 1 backward)",
        reference="Madry et al., ICLR 2018; torchattacks",
    ),
    PerturbationEntry(
        name="manipulate",
        title="Manipulation",
        source="attacks.explanations:manipulate",
        family="attack on the explanation",
        goal="the map of another image, prediction kept",
        access="white box",
        norm="L-inf",
        strength="epsilon",
        cost="steps x (1 map differentiated twice, 1 map, 2 forward)",
        attacks_attributor=True,
        reference="Dombrowski et al., NeurIPS 2019",
    ),
)
