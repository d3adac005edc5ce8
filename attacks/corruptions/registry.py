"""Noise, corruptions and geometric changes as plain facts."""

from functools import partial

from attacks.entries import (
    AMOUNT,
    DEGREES,
    EPSILON,
    L2_EPSILON,
    SHIFT,
    SIGMA,
    ZOOM,
    PerturbationEntry,
)

_unsearched = partial(PerturbationEntry, access="none", cost="none")
_noise = partial(_unsearched, family="noise", stochastic=True)
_geometric = partial(_unsearched, family="geometric change", goal="the picture elsewhere", norm=None)

NOISE = (
    _noise(
        name="gaussian_noise",
        title="Gaussian noise",
        source="attacks.corruptions.noise:gaussian_noise",
        goal="none",
        norm=None,
        strength=SIGMA,
    ),
    _noise(
        name="uniform_noise",
        title="Uniform noise",
        source="attacks.corruptions.noise:uniform_noise",
        goal="none",
        norm=None,
        strength=SIGMA,
    ),
    _noise(
        name="laplace_noise",
        title="Laplace noise",
        source="attacks.corruptions.noise:laplace_noise",
        goal="none",
        norm=None,
        strength=SIGMA,
    ),
    _noise(
        name="speckle_noise",
        title="Speckle noise",
        source="attacks.corruptions.noise:speckle_noise",
        goal="none",
        norm=None,
        strength=SIGMA,
    ),
    _noise(
        name="shot_noise",
        title="Shot noise",
        source="attacks.corruptions.noise:shot_noise",
        goal="none",
        norm=None,
        strength=SIGMA,
    ),
    _noise(
        name="salt_and_pepper",
        title="Salt and pepper",
        source="attacks.corruptions.noise:salt_and_pepper",
        goal="none",
        norm=None,
        strength=AMOUNT,
    ),
    _noise(
        name="random_sign",
        title="Random signs",
        source="attacks.corruptions.noise:random_sign",
        goal="none: the control of equal size for L-inf attacks",
        norm="L-inf",
        strength=EPSILON,
    ),
    _noise(
        name="random_direction",
        title="Random direction",
        source="attacks.corruptions.noise:random_direction",
        goal="none: the control of equal size for L2 attacks",
        norm="L2",
        strength=L2_EPSILON,
    ),
)

GEOMETRIC_CHANGES = (
    _geometric(
        name="shift",
        title="Shift",
        source="attacks.corruptions.geometry:shift",
        inverse="attacks.corruptions.geometry:shift_back",
        strength=SHIFT,
        stochastic=True,
    ),
    _geometric(
        name="rotation",
        title="Rotation",
        source="attacks.corruptions.geometry:rotation",
        inverse="attacks.corruptions.geometry:rotation_back",
        strength=DEGREES,
        stochastic=True,
    ),
    _geometric(
        name="zoom",
        title="Zoom",
        source="attacks.corruptions.geometry:zoom",
        inverse="attacks.corruptions.geometry:zoom_back",
        strength=ZOOM,
    ),
    _geometric(
        name="horizontal_flip",
        title="Horizontal flip",
        source="attacks.corruptions.geometry:horizontal_flip",
        inverse="attacks.corruptions.geometry:horizontal_flip_back",
        strength=None,
    ),
)

CORRUPTIONS = (*NOISE, *GEOMETRIC_CHANGES)
