"""The concepts of a layer as a result, `concepts.json`: clusters, what they saw, what they serve, their stability."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.experiments.concept_results import VectorSample
from reports import statistics
from reports.audit import audited, threats
from reports.audit.facts import ConditionFacts, Identity
from reports.audit.readings import Readings
from reports.concepts.crops import Box
from reports.result import Estimate, Part
from reports.statistics import SHARE

LIBRARIES = ("scikit-learn", "numpy", "scipy")
RELEVANCE = "relevance under the perturbation / relevance on the clean image"


class Request(Part):
    """What is asked for."""

    layer: str
    clusters: int
    vectors: int
    """Drawn from each image."""
    members: int
    """Shown of each cluster."""
    seed: int


class Served(Part):
    """A class that is explained where a cluster's vectors were drawn."""

    name: str
    share: float
    """Of the cluster's vectors."""
    images: int


class Member(Part):
    """The most relevant vector that an image has in a cluster, cut out of it by its effective receptive field."""

    image: str
    explained: str
    position: tuple[int, ...]
    """Row and column in the layer's map, or number of the token."""
    relevance: float
    """Of the class that is explained, in units of its logit."""
    box: Box
    """Top, bottom, left and right of the crop in pixels; bottom and right are the first outside."""
    mass: float
    """Share of the receptive field, sum of |share| over pixels, inside the crop."""
    crop_file: str
    image_file: str


class Stability(Part):
    """What becomes of vectors under one entry of the perturbation axis."""

    condition: str
    stays: Estimate
    """Share of the images whose most relevant vector falls into the cluster that it fell into on the clean image."""
    chance: float
    """The same, if under the perturbation all vectors fell as those of the whole sample do."""
    relevance: Estimate
    """Sum over the vectors of an image, relative to the clean image; mean over images."""


class Concept(Part):
    """One cluster of directions."""

    number: int
    vectors: int
    share: float
    """Of all vectors drawn, so of the images' positive relevance."""
    images: int
    served: tuple[Served, ...]
    members: tuple[Member, ...]
    stability: tuple[Stability, ...]


class ConceptsResult(Part):
    """Everything that the page of a layer shows."""

    schema_version: Literal[1] = 1
    request: Request
    identity: Identity
    """Of the run whose images were used."""
    versions: dict[str, str]
    """Of the libraries that cluster and summarise."""
    vectors: int
    channels: int
    """Length of a vector."""
    without: tuple[str, ...]
    """Images with no positive relevance at the layer, from which nothing was drawn."""
    conditions: tuple[ConditionFacts, ...]
    stability: tuple[Stability, ...]
    """Of all vectors together."""
    concepts: tuple[Concept, ...]


def summarise(
    readings: Readings, request: Request, found: VectorSample, members: Sequence[tuple[Member, ...]]
) -> ConceptsResult:
    """Return the result, of what was found and of the members shown of each cluster."""
    everything = np.ones(len(found.row), bool)
    return ConceptsResult(
        request=request,
        identity=audited.identity(readings),
        versions={name: version(name) for name in LIBRARIES},
        vectors=len(found.row),
        channels=found.channels,
        without=tuple(image for row, image in enumerate(readings.image_ids) if row not in found.row),
        conditions=threats.conditions(readings),
        stability=_stability(readings, found, everything),
        concepts=tuple(_concept(readings, found, number, shown) for number, shown in enumerate(members)),
    )


def _concept(readings: Readings, found: VectorSample, number: int, members: tuple[Member, ...]) -> Concept:
    chosen = found.labels[:, 0] == number
    return Concept(
        number=number + 1,
        vectors=int(chosen.sum()),
        share=float(chosen.mean()),
        images=len(np.unique(found.row[chosen])),
        served=_served(readings, found.row[chosen]),
        members=members,
        stability=_stability(readings, found, chosen),
    )


def _served(readings: Readings, rows: NDArray[np.int64]) -> tuple[Served, ...]:
    """Return the classes that are explained in these images, the one with most vectors first."""
    target = readings.dataset["target"].values
    images = Counter(int(target[row]) for row in np.unique(rows))
    vectors = Counter(int(target[row]) for row in rows).most_common()
    return tuple(
        Served(name=readings.classes[index], share=count / len(rows), images=images[index]) for index, count in vectors
    )


def _stability(readings: Readings, found: VectorSample, chosen: NDArray[np.bool_]) -> tuple[Stability, ...]:
    """Under each entry but `clean`."""
    of_images = found.strongest(chosen)
    own = found.labels[of_images, 0]
    return tuple(
        Stability(
            condition=condition,
            stays=statistics.rate(found.labels[of_images, column] == own, SHARE, {}),
            chance=float((found.labels[:, column][:, None] == own).mean()),
            relevance=statistics.mean(_relative_relevance(found, chosen, column), RELEVANCE, {}),
        )
        for column, condition in enumerate(readings.conditions)
        if column
    )


def _relative_relevance(found: VectorSample, chosen: NDArray[np.bool_], column: int) -> NDArray[np.float64]:
    """Of each image with a chosen vector."""
    _, image = np.unique(found.row[chosen], return_inverse=True)
    after, before = (np.bincount(image, found.relevance[chosen, each]) for each in (column, 0))
    ratio: NDArray[np.float64] = after / before
    return ratio
