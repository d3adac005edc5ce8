"""Noise, corruptions and geometric changes as plain facts."""

from functools import partial

from attacks.entries import (
    AMOUNT,
    DEGREES,
    EPSILON,
    L2_EPSILON,
    SEVERITY,
    SHIFT,
    SIGMA,
    ZOOM,
    PerturbationEntry,
)

_unsearched = partial(PerturbationEntry, access="none", cost="none", stochastic=False)
_noise = partial(_unsearched, family="noise", stochastic=True)
_corruption = partial(_unsearched, family="corruption", goal="none", norm=None)
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


OF_COLOURS = frozenset({"snow", "frost", "brightness", "jpeg_compression", "spatter", "saturate"})
"""The corruptions of ImageNet-C that read brightness, saturation or hue."""


def _imagenet_c(name: str, module: str, title: str = "", stochastic: bool = True) -> PerturbationEntry:
    return _corruption(
        name=f"imagenet_c_{name}",
        title=f"ImageNet-C {title or name.replace('_', ' ')}",
        source=f"attacks.corruptions.imagenet_c.{module}:{name}",
        strength=SEVERITY,
        stochastic=stochastic,
        channels=(1, 3) if name in OF_COLOURS else (),
        reference="Hendrycks & Dietterich, ICLR 2019",
    )


IMAGENET_C = (
    _imagenet_c("gaussian_noise", "noise", "Gaussian noise"),
    _imagenet_c("shot_noise", "noise"),
    _imagenet_c("impulse_noise", "noise"),
    _imagenet_c("defocus_blur", "blur", stochastic=False),
    _imagenet_c("glass_blur", "blur"),
    _imagenet_c("motion_blur", "blur"),
    _imagenet_c("zoom_blur", "blur", stochastic=False),
    _imagenet_c("snow", "weather"),
    _imagenet_c("frost", "weather"),
    _imagenet_c("fog", "weather"),
    _imagenet_c("brightness", "digital", stochastic=False),
    _imagenet_c("contrast", "digital", stochastic=False),
    _imagenet_c("elastic_transform", "digital"),
    _imagenet_c("pixelate", "digital", stochastic=False),
    _imagenet_c("jpeg_compression", "digital", "JPEG compression", stochastic=False),
    _imagenet_c("speckle_noise", "noise"),
    _imagenet_c("gaussian_blur", "blur", "Gaussian blur", stochastic=False),
    _imagenet_c("spatter", "weather"),
    _imagenet_c("saturate", "digital", stochastic=False),
)
"""Corruptions in the paper's order; the last four are its validation corruptions."""

STORAGE = (
    _corruption(
        name="eight_bit_rounding",
        title="8-bit rounding",
        source="attacks.corruptions.rounding:eight_bit_rounding",
        strength=None,
    ),
)

CORRUPTIONS = (*NOISE, *IMAGENET_C, *STORAGE, *GEOMETRIC_CHANGES)
