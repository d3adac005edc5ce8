"""The measurements of variants, as reports read them; nothing here imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pipeline.spec.variants import VariantsSpec
from pipeline.store.attributes import CheckResult

Numbers = NDArray[np.float64]
Hits = NDArray[np.bool_]
Reasons = dict[str, dict[str, str]]
"""Variant -> method -> the reason why it has no map. The method is "" where the variant itself has no answer."""
EVERYTHING = ""
"""The method of the reason why a variant has no answer at all."""


@dataclass(frozen=True)
class Measurement:
    """The measurements on images, which are the last axis of each array; NaN where undefined."""

    right: Hits
    """Which images are answered as labelled: (network, image), the network as it was loaded first."""
    kept: Hits
    """Which images a variant answers as the network does: (variant, image)."""
    probability_change: Numbers
    """The largest change of a probability: (variant, image)."""
    moved: Numbers
    """The network's and the variant's map of an image, compared: (variant, method, quantity, image)."""
    other_image: Numbers
    """The network's maps of an image and of another one, compared: (method, quantity, image)."""
    repeat: Numbers
    """The network's map of an image and a repeat by other draws, compared: (method, quantity, image)."""


@dataclass(frozen=True)
class VariantFindings:
    """All measurements, and all that they depend on."""

    spec: VariantsSpec
    quantities: Sequence[str]
    """The metrics of two maps by which maps are compared."""
    checks: Sequence[CheckResult]
    """What was asked of the network and the methods, and found."""
    description: str
    """The images in words."""
    n: int
    measured: Measurement
    reasons: Reasons
    weights: Mapping[str, str]
    """The SHA-256 of the weights: of the network under "", and of the variants that read other ones."""
    network: str
    """The SHA-256 of the source of the network."""
    data: str
    """The SHA-256 of all that images and labels are made from."""
    sources: str
    """The SHA-256 of the auditing code."""
    versions: Mapping[str, str]
    hardware: str


def join(parts: Sequence[Measurement]) -> Measurement:
    """Return the measurements of all tiles as one."""
    return Measurement(*(np.concatenate([getattr(p, f.name) for p in parts], -1) for f in fields(Measurement)))
