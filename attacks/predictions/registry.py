"""Attacks on the prediction as plain facts."""

from attacks.entries import EPSILON, PerturbationEntry

ATTACKS_ON_PREDICTIONS = (
    PerturbationEntry(
        name="fgsm",
        title="FGSM",
        source="attacks.predictions.library:fgsm",
        family="attack on the prediction",
        goal="any class but the label",
        access="white box",
        norm="L-inf",
        strength=EPSILON,
        cost="1 forward, 1 backward",
        reference="Goodfellow, Shlens, Szegedy, ICLR 2015; torchattacks",
    ),
    PerturbationEntry(
        name="pgd",
        title="PGD",
        source="attacks.predictions.library:pgd",
        family="attack on the prediction",
        goal="any class but the label",
        access="white box",
        norm="L-inf",
        strength=EPSILON,
        budget=("steps",),
        cost="steps x (1 forward, 1 backward)",
        stochastic=True,
        reference="Madry et al., ICLR 2018; torchattacks",
    ),
)
