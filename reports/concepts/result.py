"""The concepts of a layer, `concepts.json`: clusters, their members, their classes and their stability."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.experiments.concept_results import VectorSample
from pipeline.plan.conditions import conditions
from reports import statistics
from reports.audit import identity_tables, threats
from reports.audit.facts import ConditionFacts, Identity
from reports.audit.readings import Readings
from reports.concepts.crops import Box
from reports.result import Estimate, ResultModel
from reports.statistics import SHARE

LIBRARIES = ("scikit-learn", "numpy", "scipy")
RELEVANCE = "relevance under the perturbation / relevance on the clean image"


class Request(ResultModel):
    """The request: a layer, and how many clusters, vectors and members."""

    layer: str
    clusters: int
    vectors: int
    """Vectors drawn from each image."""
    members: int
    """Members shown of each cluster."""
    seed: int


class ExplainedClass(ResultModel):
    """A class that is explained in images from which a cluster's vectors were drawn."""

    name: str
    share: float
    """Share of the cluster's vectors."""
    images: int


class Member(ResultModel):
    """The most relevant vector that an image has in a cluster, cut out of it by its effective receptive field."""

    image: str
    explained: str
    position: tuple[int, ...]
    """Row and column in the layer's map, or the number of the token."""
    relevance: float
    """Relevance for the explained class, in units of its logit."""
    box: Box
    """Top, bottom, left and right of the crop in pixels; bottom and right are the first outside."""
    mass: float
    """Share of the receptive field, sum of |share| over pixels, inside the crop."""
    crop_file: str
    image_file: str


class ConceptStability(ResultModel):
    """The stability of vectors under one condition."""

    condition: str
    stays: Estimate
    """Share of the images whose most relevant vector falls into the cluster that it fell into on the clean image."""
    chance: float
    """The same share, if every vector fell into clusters as those of the whole sample do under the perturbation."""
    relevance: Estimate
    """Sum over the vectors of an image, relative to the clean image; mean over images."""


class Concept(ResultModel):
    """One cluster of directions."""

    number: int
    vectors: int
    share: float
    """Share of all vectors drawn, which is a share of the images' positive relevance."""
    images: int
    served: tuple[ExplainedClass, ...]
    members: tuple[Member, ...]
    stability: tuple[ConceptStability, ...]


class ConceptsResult(ResultModel):
    """Everything that the page of a layer shows."""

    schema_version: Literal[1] = 1
    request: Request
    identity: Identity
    """Facts of the run whose images were used."""
    versions: dict[str, str]
    """Versions of the libraries that cluster and summarise."""
    vectors: int
    channels: int
    """Length of a vector."""
    without: tuple[str, ...]
    """Images without positive relevance at the layer, from which no vector was drawn."""
    conditions: tuple[ConditionFacts, ...]
    stability: tuple[ConceptStability, ...]
    """Stability of all vectors together."""
    concepts: tuple[Concept, ...]


def summarise(
    readings: Readings, request: Request, found: VectorSample, members: Sequence[tuple[Member, ...]]
) -> ConceptsResult:
    """Return the result, given the sample of vectors and the members shown of each cluster."""
    everything = np.ones(len(found.row), bool)
    return ConceptsResult(
        request=request,
        identity=identity_tables.identity(readings),
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
        served=_explained_classes(readings, found.row[chosen]),
        members=members,
        stability=_stability(readings, found, chosen),
    )


def _explained_classes(readings: Readings, rows: NDArray[np.int64]) -> tuple[ExplainedClass, ...]:
    """Return the classes that are explained in these images, the one with most vectors first."""
    target = readings.dataset["target"].values
    images = Counter(int(target[row]) for row in np.unique(rows))
    vectors = Counter(int(target[row]) for row in rows).most_common()
    return tuple(
        ExplainedClass(name=readings.classes[index], share=count / len(rows), images=images[index])
        for index, count in vectors
    )


def _stability(readings: Readings, found: VectorSample, chosen: NDArray[np.bool_]) -> tuple[ConceptStability, ...]:
    """Return the stability of the chosen vectors under each condition but `clean`."""
    of_images = found.strongest(chosen)
    own = found.labels[of_images, 0]
    drawn = {name: _columns(readings, name) for name in readings.perturbed_conditions}
    return tuple(
        ConceptStability(
            condition=condition,
            stays=statistics.rate((found.labels[of_images][:, columns] == own[:, None]).all(1), SHARE, {}),
            chance=float((found.labels[:, columns][:, :, None] == own).all(1).mean()),
            relevance=statistics.mean(_relative_relevance(found, chosen, columns), RELEVANCE, {}),
        )
        for condition, columns in drawn.items()
    )


def _columns(readings: Readings, condition: str) -> list[int]:
    """Return the places of the draws of a condition, mostly one, in the order of the audit's own plan."""
    planned = conditions(readings.attributes.fingerprinted.spec)
    return [column for column, each in enumerate(planned) if each.group == condition]


def _relative_relevance(found: VectorSample, chosen: NDArray[np.bool_], columns: Sequence[int]) -> NDArray[np.float64]:
    """Return the relative relevance of the chosen vectors of each image that has one, the mean of the draws."""
    return np.mean([_relevance_of_draw(found, chosen, column) for column in columns], axis=0)


def _relevance_of_draw(found: VectorSample, chosen: NDArray[np.bool_], column: int) -> NDArray[np.float64]:
    _, image = np.unique(found.row[chosen], return_inverse=True)
    after, before = (np.bincount(image, found.relevance[chosen, each]) for each in (column, 0))
    ratio: NDArray[np.float64] = after / before
    return ratio
