"""What is measured of a manipulated model, as reports read it; nothing here imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.spec.manipulation import ManipulatedModelSpec

Network = Literal["original", "control", "manipulated"]
"""As given; fine-tuned by cross-entropy alone; fine-tuned towards the goal. The last two for as many steps."""
NETWORKS: tuple[Network, ...] = get_args(Network)
COPIES = NETWORKS[1:]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What is measured on held-out images, the last axis of each array; NaN where undefined."""

    predicted: NDArray[np.int64]
    """Class, by network."""
    similarity: Numbers
    """Of the maps of the original and of each copy: (copy, method, similarity, image)."""
    reached: Numbers
    """How far the maps have come to the goal: (network, method, image)."""


@dataclass(frozen=True)
class DataFacts:
    """What is told of images and labels."""

    description: str
    digest: str
    """SHA-256 of all that images and labels are made from."""
    ids: Sequence[str]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class ManipulationFindings:
    """Everything measured, and all that it depends on."""

    spec: ManipulatedModelSpec
    goal: str
    """In words."""
    unit: str
    """Of how far maps have come to the goal."""
    similarities: Sequence[str]
    examples: DataFacts
    held_out: DataFacts
    classes: Sequence[str]
    explained: NDArray[np.int64]
    """Class, of the held-out images."""
    measured: Measurement
    weights: Mapping[Network, str]
    """SHA-256: of the original as of any audit, of the copies that of their file."""
    network: str
    """SHA-256 of the source of the network."""
    sources: str
    """SHA-256 of the auditing code."""
    versions: Mapping[str, str]
    hardware: str


def join(parts: Sequence[Measurement]) -> Measurement:
    """Return what is measured of all images as one."""
    return Measurement(*(np.concatenate([getattr(p, f.name) for p in parts], -1) for f in fields(Measurement)))
