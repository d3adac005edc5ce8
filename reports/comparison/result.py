"""The result of a comparison, `comparison.json`, with the numbers of several audits."""

from typing import Literal

from reports.audit.facts import Identity
from reports.comparison.change_result import Change
from reports.formatting import Caveats
from reports.result import MEASURE, Estimate, ImageSet, ResultModel
from reports.statistics import Policy

HEADLINE: tuple[str, ImageSet] = (MEASURE, "all")


class NetworkFacts(ResultModel):
    """An audited network."""

    name: str
    report: str
    """Page of its own audit, relative to the page of the comparison; empty if there is none."""
    identity: Identity
    caveats: dict[str, str]
    """Method -> the finding of a self-check that stands beside every number of the method."""
    accuracy: Estimate
    """Share of the clean images whose predicted class is the label."""


class ComparisonColumn(ResultModel):
    """The maps that clean maps are compared with: those after a perturbation at a strength, or other clean maps."""

    name: str
    title: str
    perturbation: str
    """Empty for other clean maps."""
    strength: float | None


class KeptPredictions(ResultModel):
    """The share of the predictions of one network that a perturbation leaves as they were."""

    network: str
    column: str
    estimate: Estimate
    """Share of the images whose predicted class is that of the clean image."""


class ComparisonRow(ResultModel):
    """A mean over images of one network and method. An attack on explanations is the one on this method."""

    network: str
    column: str
    method: str
    similarity: str
    images: ImageSet
    estimate: Estimate
    doubt: str
    """The verdict on an attack in doubt, from which nothing follows; else empty."""

    @property
    def is_headline(self) -> bool:
        """Return whether the figures and the summary use this row: by correlation, over all images."""
        return (self.similarity, self.images) == HEADLINE


class Similarity(ComparisonRow):
    """Mean similarity of the method's clean maps to others."""


class Calibrated(ComparisonRow):
    """Calibrated stability of the method's maps: correlation, all images."""


class Difference(ComparisonRow):
    """SRD's stability minus that of the method, paired by image.

    By correlation over all images it is the difference of their calibrated stabilities, for each method is read on its
    own scale; else it is the mean difference of the similarities themselves.
    """


class ComparisonResult(ResultModel):
    """Everything that the page shows beside its figures."""

    schema_version: Literal[1] = 1
    summary: tuple[str, ...]
    statistics: Policy
    networks: tuple[NetworkFacts, ...]
    columns: tuple[ComparisonColumn, ...]
    """Perturbations in order of strength, then other clean maps."""
    kept: tuple[KeptPredictions, ...]
    """Shares of kept predictions, without attacks on explanations, which keep every prediction."""
    similarities: tuple[Similarity, ...]
    calibrated: tuple[Calibrated, ...]
    """Without clean maps, which are the scale."""
    differences: tuple[Difference, ...]
    reference_meanings: dict[str, str]
    unlike: tuple[str, ...]
    """The settings that differ between the audits, beside network and data."""
    limits: tuple[str, ...]
    change: Change | None = None
    """What changed from the first run to the second; None unless two runs of the same images are compared."""
    unpaired: tuple[str, ...] = ()
    """Why two runs are not compared image by image."""

    def caveats_on(self, network: str) -> Caveats:
        """Return method -> caveat, on one network."""
        return next((each.caveats for each in self.networks if each.name == network), {})
