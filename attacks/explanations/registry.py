"""Attacks on the explanation as plain facts."""

from attacks.entries import EPSILON, PerturbationEntry

ATTACKS_ON_EXPLANATIONS = (
    PerturbationEntry(
        name="manipulate",
        title="Manipulation",
        source="attacks.explanations.manipulation:manipulate",
        family="attack on the explanation",
        goal="the map of another image, prediction kept",
        access="white box",
        norm="L-inf",
        strength=EPSILON,
        budget=("steps",),
        cost="steps x (1 map differentiated twice, 1 map, 2 forward)",
        stochastic=False,
        attacks_attributor=True,
        reference="Dombrowski et al., NeurIPS 2019",
    ),
)
