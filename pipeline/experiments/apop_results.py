"""The results of activation-pattern-only prediction, as reports read them; nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.spec.audit import AuditSpec

Classes = NDArray[np.int64]
"""The index of a class, for each image."""

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
"""The inputs that the network reads in place of an image."""


@dataclass(frozen=True)
class ApopPredictions:
    """The predicted classes of some images."""

    clean: Classes
    replaced: Mapping[str, Classes]
    """The classes predicted from the patterns alone, by the name of the replacement."""


@dataclass(frozen=True)
class ApopFindings:
    """The predicted classes of all images of a spec, and all that they depend on."""

    spec: AuditSpec
    labels: Classes
    n_classes: int
    predictions: ApopPredictions
    weights: str
    """The SHA-256 of the weights."""
    network: str
    """The SHA-256 of the source of the network."""
    data: str
    """The SHA-256 of all that images and labels are made from."""
    sources: str
    """The SHA-256 of the auditing code."""
    versions: Mapping[str, str]
    hardware: str
