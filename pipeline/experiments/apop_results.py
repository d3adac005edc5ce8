"""What activation-pattern-only prediction finds, as reports read it; nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.spec.audit import AuditSpec

Classes = NDArray[np.int64]
"""Index of a class, one per image."""

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "black": "black",
        "grey": "mid-grey",
        "white": "white",
        "uniform_noise": "uniform noise in [0, 1]",
        "gaussian_noise": "standard normal inputs",
        "other_image": "image of another class",
    }
)
"""What the network reads in place of an image."""


@dataclass(frozen=True)
class Predictions:
    """Predicted classes of some images."""

    clean: Classes
    replaced: Mapping[str, Classes]
    """From the patterns alone, by the name of the replacement."""


@dataclass(frozen=True)
class ApopFindings:
    """Predicted classes of all images of a spec, and all that they depend on."""

    spec: AuditSpec
    labels: Classes
    n_classes: int
    predictions: Predictions
    weights: str
    """SHA-256, as those that follow: of the weights."""
    network: str
    """Of the source of the network."""
    data: str
    """Of all that images and labels are made from."""
    sources: str
    """Of the auditing code."""
    versions: Mapping[str, str]
    hardware: str
