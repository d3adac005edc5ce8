"""The result of an audit, `audit.json`: every number with its n, its interval and its unit. The page renders this."""

from typing import Literal

from pipeline.verification import Verification
from reports.facts import (
    Certificate,
    Completeness,
    ConditionFacts,
    Identity,
    MethodFacts,
    Part,
    PerturbationFacts,
    Policy,
)

Images = Literal["all", "prediction kept"]
"""Which images a mean is over: all, or those whose predicted class equals that of the clean image."""

Role = Literal["attacked method", "control", "attack on the prediction"]
Verdict = Literal["", "attack unreliable", "attack unchecked"]


class Estimate(Part):
    """A mean or a rate over images."""

    value: float | None
    """None where nothing could be measured; `reason` then says why."""
    low: float | None
    """Lower end of the interval; None where there is no interval, `reason` then says why."""
    high: float | None
    n: int
    """Images that the value is made from."""
    unit: str
    interval: Literal["BCa bootstrap", "Wilson score", "none"]
    reason: str = ""
    excluded: dict[str, int]
    """Images of the same set that were left out because their score is undefined or missing: reason -> how many."""


class Accuracy(Part):
    """How the predictions take one entry of the perturbation axis."""

    condition: str
    accuracy: Estimate
    """Share of the images whose predicted class is the label."""
    kept: Estimate
    """Share of the images whose predicted class is that of the clean image."""


class Stability(Part):
    """Mean similarity of the clean and the perturbed maps of one method."""

    condition: str
    method: str
    similarity: str
    images: Images
    estimate: Estimate


class Reference(Part):
    """Mean similarity of the clean maps of a method to other maps: the scale on which its stability is read."""

    method: str
    reference: str
    similarity: str
    estimate: Estimate


class Cell(Part):
    """Similarity of the clean and the manipulated maps of the evaluating method."""

    evaluating: str
    similarity: Estimate
    white_box: bool
    """Whether the evaluating method is the attacked one."""
    beyond_control: Estimate | None
    """White box only: mean over images of similarity under the control less similarity under the attack.

    None for attacks that want the map to stay.
    """
    verdict: Verdict
    reason: str


class TransferRow(Part):
    """All methods' maps under one entry of the perturbation axis."""

    role: Role
    condition: str
    attacked: str
    """Empty unless an explanation was attacked."""
    title: str
    cells: tuple[Cell, ...]


class Transfer(Part):
    """Attacked method x evaluating method, for one attack, strength, similarity and set of images."""

    attack: str
    title: str
    strength: float
    strength_text: str
    similarity: str
    images: Images
    rows: tuple[TransferRow, ...]


class Check(Part):
    """One sign that a search was a good one, or not."""

    name: str
    passed: bool | None
    """None where it could not be told; `detail` then says why."""
    detail: str


class Searched(Part):
    """How one attack on an explanation searched."""

    condition: str
    values: dict[str, Estimate]
    """Means over images of what the attack increases: at the clean image, after parts of the search, at controls."""
    checks: tuple[Check, ...]


class Quality(Part):
    """A metric of the clean maps of one method."""

    method: str
    metric: str
    estimate: Estimate


class Shown(Part):
    """One panel that shows a map: its file and the scale of its colours."""

    method: str
    file: str
    limit: float | None
    """White is 0, the ends of the colours are -limit and +limit; None if there is no map."""
    clipped: float | None
    """Share of the pixels beyond the limits."""
    reason: str = ""
    """Why there is no map."""


class Case(Part):
    """One image before and after an attack on an explanation."""

    condition: str
    title: str
    rank: str
    """worst, median or best of the images by the Pearson correlation of the attacked method's maps."""
    image: str
    label: str
    clean_prediction: str
    clean_probability: float
    """Softmax of the explained class."""
    perturbed_prediction: str
    perturbed_probability: float
    explained: str
    similarities: dict[str, float | None]
    image_file: str
    perturbed_file: str
    change_file: str
    clean: Shown
    perturbed: Shown
    difference: Shown
    limit_rule: str


class Overview(Part):
    """The clean maps of all methods on one image."""

    image: str
    label: str
    explained: str
    image_file: str
    has_outline: bool
    maps: tuple[Shown, ...]


class AuditResult(Part):
    """Everything that the page shows beside its figures."""

    schema_version: Literal[1] = 1
    summary: tuple[str, ...]
    identity: Identity
    completeness: Completeness
    verifications: tuple[Verification, ...] = ()
    statistics: Policy
    certificates: tuple[Certificate, ...]
    methods: tuple[MethodFacts, ...]
    perturbations: tuple[PerturbationFacts, ...]
    conditions: tuple[ConditionFacts, ...]
    accuracy: tuple[Accuracy, ...]
    stability: tuple[Stability, ...]
    references: tuple[Reference, ...]
    reference_meanings: dict[str, str]
    notes: dict[str, str]
    """Method -> what to know before its stability is read."""
    transfer: tuple[Transfer, ...]
    searches: tuple[Searched, ...]
    """Of the attacks on explanations."""
    evidence: dict[str, str]
    """What the values of a search are."""
    quality: tuple[Quality, ...]
    """Of the clean maps."""
    mask_share: Estimate | None
    """Mean share of the image that the mask covers: what a map without knowledge scores by chance."""
    cases: tuple[Case, ...]
    overview: tuple[Overview, ...]
    gallery: str
    """How the shown images were chosen and drawn."""
    not_measured: tuple[str, ...]
    limits: tuple[str, ...]
