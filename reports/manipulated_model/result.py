"""What `manipulated.json` holds: every number with its n, its interval and its unit. The page renders this."""

from typing import Any, Literal

from reports.result import Estimate, Part

TITLES = {"original": "original", "control": "fine-tuned alone", "manipulated": "manipulated"}
"""Networks as they are printed."""
Role = Literal["attacked", "transfer", "ignores the network"]


class Answers(Part):
    """How one network answers the held-out images."""

    network: str
    weights: str
    """SHA-256: of the original as of any audit, of the copies that of their file."""
    file: str
    """Its weights, beside this file; empty for the original."""
    accuracy: Estimate
    kept: Estimate
    """Share of the images whose predicted class is that of the original."""
    lost: Estimate
    """Accuracy of the original less this one's, paired by image."""


class Moved(Part):
    """Mean similarity of the original's maps and those of each copy, one method and similarity."""

    method: str
    role: Role
    similarity: str
    control: Estimate
    manipulated: Estimate
    beyond_control: Estimate
    """The first less the second, paired by image: what the manipulation has moved beyond ordinary fine-tuning."""


class Reached(Part):
    """How far the maps of each network have come to the goal, one method."""

    method: str
    role: Role
    original: Estimate
    control: Estimate
    manipulated: Estimate
    gained: Estimate
    """Manipulated less original, paired by image."""


class Panel(Part):
    """A map as a picture, on a scale of its own, which no similarity reads."""

    network: str
    file: str
    """Empty where the map is not finite."""
    limit: float | None
    """Where the colours end."""


class Exhibit(Part):
    """The maps of one method of one image by every network."""

    method: str
    role: Role
    image: str
    label: str
    explained: str
    """Class that is explained."""
    predicted: dict[str, str]
    """Class, by network."""
    similarity: float | None
    """Pearson correlation of the maps of the original and the manipulated network."""
    rank: str
    """Of the image among all, by the similarity of the attacked method."""
    image_file: str
    panels: tuple[Panel, ...]


class ManipulationResult(Part):
    """The whole result."""

    schema_version: Literal[1] = 1
    spec: dict[str, Any]
    goal: str
    """In words."""
    examples: str
    """What the copies were fine-tuned on."""
    held_out: str
    """What everything is measured on."""
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
    moved: tuple[Moved, ...]
    reached: tuple[Reached, ...]
    exhibits: tuple[Exhibit, ...]
