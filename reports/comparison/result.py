"""The result of a comparison, `comparison.json`: the numbers of several audits side by side."""

from typing import Literal

from reports.audit.facts import Identity
from reports.result import MEASURE, Estimate, Images, Part
from reports.statistics import Policy

HEADLINE: tuple[str, Images] = (MEASURE, "all")


class Network(Part):
    """An audited network."""

    name: str
    report: str
    """Page of its own audit, seen from the page of the comparison; empty if there is none."""
    identity: Identity
    accuracy: Estimate
    """Share of the clean images whose predicted class is the label."""


class Column(Part):
    """What clean maps are compared with: maps after one perturbation at one strength, or other clean maps."""

    name: str
    title: str
    perturbation: str
    """Empty for other clean maps."""
    strength: float | None


class Kept(Part):
    """How the predictions of one network take a perturbation."""

    network: str
    column: str
    estimate: Estimate
    """Share of the images whose predicted class is that of the clean image."""


class Row(Part):
    """A mean over images of one network and method. An attack on explanations is the one aimed at this method."""

    network: str
    column: str
    method: str
    similarity: str
    images: Images
    estimate: Estimate
    doubt: str
    """Why nothing follows from it: an attack in doubt."""

    @property
    def is_headline(self) -> bool:
        """Return whether the figures and the summary speak of it: by correlation, over all images."""
        return (self.similarity, self.images) == HEADLINE


class Similarity(Row):
    """Mean similarity of the method's clean maps to others."""


class Difference(Row):
    """Mean of the similarity of SRD's maps less that of the method's, image by image."""


class ComparisonResult(Part):
    """Everything that the page shows beside its figures."""

    schema_version: Literal[1] = 1
    summary: tuple[str, ...]
    statistics: Policy
    networks: tuple[Network, ...]
    columns: tuple[Column, ...]
    """Perturbations by strength, then other clean maps."""
    kept: tuple[Kept, ...]
    """Not of attacks on explanations, which keep every prediction."""
    similarities: tuple[Similarity, ...]
    differences: tuple[Difference, ...]
    reference_meanings: dict[str, str]
    unlike: tuple[str, ...]
    """In what the audits differ beside network and data."""
    limits: tuple[str, ...]
