"""Noise, corruptions and geometric changes as plain facts."""

from attacks.entries import EPSILON, SIGMA, PerturbationEntry

CORRUPTIONS = (
    PerturbationEntry(
        name="gaussian_noise",
        title="Gaussian noise",
        source="attacks.corruptions.noise:gaussian_noise",
        family="noise",
        goal="none",
        access="none",
        norm=None,
        strength=SIGMA,
        cost="none",
    ),
    PerturbationEntry(
        name="random_sign",
        title="Random signs",
        source="attacks.corruptions.noise:random_sign",
        family="noise",
        goal="none: the control of equal size for L-inf attacks",
        access="none",
        norm="L-inf",
        strength=EPSILON,
        cost="none",
    ),
)
