"""The measurements of a manipulated model, as reports read them; nothing here imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.spec.manipulation import ManipulatedModelSpec
from pipeline.store.attributes import CheckResult

NetworkRole = Literal["original", "control", "manipulated"]
"""The network as given; fine-tuned by cross-entropy alone; fine-tuned towards the goal, in as many steps."""
NETWORKS: tuple[NetworkRole, ...] = get_args(NetworkRole)
COPIES = NETWORKS[1:]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """The measurements on held-out images, which are the last axis of each array; NaN where undefined."""

    predicted: NDArray[np.int64]
    """The predicted class, by network."""
    similarity: Numbers
    """The similarity of the original's maps and each copy's: (copy, method, similarity, image)."""
    reached: Numbers
    """How far the maps have come towards the goal: (network, method, image)."""


@dataclass(frozen=True)
class DataFacts:
    """The facts of images and labels that a report tells."""

    description: str
    digest: str
    """The SHA-256 of all that images and labels are made from."""
    ids: Sequence[str]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class ManipulationFindings:
    """All measurements, and all that they depend on."""

    spec: ManipulatedModelSpec
    goal: str
    """The goal in words."""
    unit: str
    """The unit of how far maps have come towards the goal."""
    similarities: Sequence[str]
    checks: Sequence[CheckResult]
    """What was asked of the original network and the methods, and found."""
    examples: DataFacts
    held_out: DataFacts
    classes: Sequence[str]
    explained: NDArray[np.int64]
    """The explained class of each held-out image."""
    measured: Measurement
    weights: Mapping[NetworkRole, str]
    """The SHA-256 of the weights: for the original as in any audit, for the copies that of their file."""
    network: str
    """The SHA-256 of the source of the network."""
    sources: str
    """The SHA-256 of the auditing code."""
    versions: Mapping[str, str]
    hardware: str


def join(parts: Sequence[Measurement]) -> Measurement:
    """Return the measurements of all tiles as one."""
    return Measurement(*(np.concatenate([getattr(p, f.name) for p in parts], -1) for f in fields(Measurement)))
