"""The result of auditing variants of a network, `variants.json`, from which the page is rendered."""

from typing import Any, Literal

from reports.result import Estimate, ResultModel

NETWORK = "float32"
"""The name of the network itself on the page."""


class VariantAnswers(ResultModel):
    """How the answers of one variant differ from the network's."""

    variant: str
    change: str
    """What the variant changes, in words."""
    accuracy: Estimate
    kept: Estimate
    """Share of the images that are answered as by the network."""
    lost: Estimate
    """Accuracy of the network minus that of the variant, paired by image."""
    probability_change: Estimate
    """Mean over images of the largest change of a probability."""
    largest: float
    """The largest change of a probability on any image."""


class MapMovement(ResultModel):
    """How the maps of one method by one variant compare to the network's, by one metric of two maps."""

    variant: str
    method: str
    quantity: str
    estimate: Estimate


class MapScale(ResultModel):
    """How the network's own maps compare, by one metric: what beside the numbers of variants says what is large."""

    method: str
    quantity: str
    other_image: Estimate
    """The maps of an image and of another one."""
    repeat: Estimate | None
    """The map and a repeat by other random draws; None for a method that draws nothing."""


class Refusal(ResultModel):
    """A method that a variant cannot run, or all of them, with the reason."""

    variant: str
    method: str
    """Empty where the variant itself cannot be made, or does not answer."""
    reason: str


class VariantsResult(ResultModel):
    """Everything that `variants.json` holds."""

    schema_version: Literal[1] = 1
    spec: dict[str, Any]
    caveats: dict[str, str]
    """Method -> the finding of a self-check on the network that stands beside every number of the method."""
    data: str
    """Description of the images."""
    n: int
    accuracy: Estimate
    """Of the network itself."""
    answers: tuple[VariantAnswers, ...]
    moved: tuple[MapMovement, ...]
    scale: tuple[MapScale, ...]
    refused: tuple[Refusal, ...]
    weights: dict[str, str]
    """SHA-256 of the weights: of the network under an empty name, and of the variants that read other ones."""
    network: str
    """SHA-256 of the source of the network."""
    data_digest: str
    sources: str
    """SHA-256 of the auditing code: srd, attacks, pipeline."""
    versions: dict[str, str]
    hardware: str
