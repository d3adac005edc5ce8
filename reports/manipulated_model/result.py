"""The result of manipulating a model, `manipulated.json`, from which the page is rendered."""

from typing import Any, Literal

from reports.result import Estimate, ResultModel

TITLES = {"original": "original", "control": "fine-tuned alone", "manipulated": "manipulated"}
"""Network -> its name on the page."""
MethodRole = Literal["attacked", "transfer", "ignores the network"]


class Answers(ResultModel):
    """Rates of one network's answers on the held-out images."""

    network: str
    weights: str
    """SHA-256: for the original as in any audit, for a copy that of its file."""
    file: str
    """File of its weights, beside this file; empty for the original."""
    accuracy: Estimate
    kept: Estimate
    """Share of the images whose predicted class is that of the original."""
    lost: Estimate
    """Accuracy of the original minus that of this network, paired by image."""


class SimilarityToOriginal(ResultModel):
    """Mean similarity of the original's maps to those of each copy, for one method and similarity."""

    method: str
    role: MethodRole
    similarity: str
    control: Estimate
    manipulated: Estimate
    beyond_control: Estimate
    """The first minus the second, paired by image: the effect of the manipulation beyond ordinary fine-tuning."""


class GoalProgress(ResultModel):
    """How far the maps of each network have come to the goal, for one method."""

    method: str
    role: MethodRole
    original: Estimate
    control: Estimate
    manipulated: Estimate
    gained: Estimate
    """Manipulated minus original, paired by image."""


class NetworkMap(ResultModel):
    """The picture of a map by one network, on a scale of its own. No similarity is computed from it."""

    network: str
    file: str
    """Empty where the map is not finite."""
    limit: float | None
    """The value at which the colours end."""


class GalleryRow(ResultModel):
    """The maps of one image by one method, for every network."""

    method: str
    role: MethodRole
    image: str
    label: str
    explained: str
    """The explained class."""
    predicted: dict[str, str]
    """Network -> predicted class."""
    similarity: float | None
    """Pearson correlation of the maps of the original and the manipulated network."""
    rank: str
    """Rank of the image among all, by the similarity of the attacked method's maps."""
    image_file: str
    panels: tuple[NetworkMap, ...]


class ManipulationResult(ResultModel):
    """Everything that `manipulated.json` holds."""

    schema_version: Literal[1] = 1
    spec: dict[str, Any]
    goal: str
    """The goal in words."""
    caveats: dict[str, str]
    """Method -> the finding of a self-check on the original that stands beside every number of the method."""
    examples: str
    """Description of the images on which the copies were fine-tuned."""
    held_out: str
    """Description of the images on which everything is measured."""
    n_examples: int
    n_held_out: int
    weights: str
    """SHA-256 of the original's weights."""
    network: str
    """SHA-256 of the source of the network."""
    examples_digest: str
    held_out_digest: str
    sources: str
    """SHA-256 of the auditing code: srd, attacks, pipeline."""
    versions: dict[str, str]
    hardware: str
    answers: tuple[Answers, ...]
    moved: tuple[SimilarityToOriginal, ...]
    reached: tuple[GoalProgress, ...]
    exhibits: tuple[GalleryRow, ...]
