"""Plain facts of a run, as `audit.json` keeps them: what was audited, how, and how far it came."""

from collections.abc import Iterable
from typing import Literal

from pipeline.verification.findings import Verification
from reports.result import Part
from reports.statistics import Policy

Value = bool | int | float | str

EXPLANATION = "attack on the explanation"
PREDICTION = "attack on the prediction"
"""Families of perturbations."""


class Identity(Part):
    """What was audited, with what, on what."""

    fingerprint: str
    model: str
    parameters: int
    weights: str
    """SHA-256 of the weights."""
    network: str
    """SHA-256 of the source of the network."""
    data: str
    description: str
    data_digest: str
    """SHA-256 of all that images, labels and masks are made from."""
    sources: str
    """SHA-256 of the auditing code: srd, attacks, pipeline."""
    versions: dict[str, str]
    hardware: str
    sizes: dict[str, int]
    classes_present: int
    """Classes that at least one image has."""
    has_masks: bool
    tile: int
    seed: int
    target: str
    spec: str
    """The spec of the run as TOML; relative paths in it start at the folder of the original file."""


class StageProgress(Part):
    """Tasks of a stage."""

    stage: str
    done: int
    planned: int


class Undefined(Part):
    """Scores of one method that have no value."""

    method: str
    reason: str
    scores: int


class Failure(Part):
    """A task that failed whenever it was tried."""

    task: str
    images: str
    """The first and the last of the images that it concerns."""
    of: str
    """The method, or the entry of the perturbation axis."""
    cause: str


class Completeness(Part):
    """What was planned, done, and left undefined."""

    stages: tuple[StageProgress, ...]
    failures: tuple[Failure, ...] = ()
    scores: int
    """Scores planned: images x perturbation entries x methods x metrics."""
    undefined: tuple[Undefined, ...]

    @property
    def is_complete(self) -> bool:
        """Return whether no task is missing."""
        return all(stage.done == stage.planned for stage in self.stages)


class Certificate(Part):
    """One property of the demo network, and whether it holds."""

    name: str
    meaning: str
    rate: float
    bound: str
    passed: bool
    n: int
    unit: str = "share of scenes"


class Option(Part):
    """The value of an option, and where it comes from."""

    name: str
    value: Value | None
    origin: Literal["spec", "default", "fixed"]
    """A default is that of the sources which wrote this report; what is fixed makes the method what it is."""


class MethodFacts(Part):
    """An explanation method as the registry knows it, with its options in this run."""

    name: str
    title: str
    family: str
    signed: bool
    coarse: bool
    resolution: tuple[int, int]
    """Rows and columns of its own maps."""
    stochastic: bool
    attackable: bool
    uses_network: bool
    uses_target: bool
    is_control: bool
    cost: str
    reference: str
    options: tuple[Option, ...]


class PerturbationFacts(Part):
    """A perturbation of the spec: its threat model and options."""

    name: str
    title: str
    family: str
    goal: str
    access: str
    constraint: str
    """What holds of the perturbed images, in terms of the strength."""
    strengths: tuple[str, ...]
    against: tuple[str, ...]
    cost: str
    reference: str
    budget: tuple[Option, ...]
    """Options that say how much work the attacker may do."""
    options: tuple[Option, ...]
    """All others."""


class ConditionFacts(Part):
    """One entry of the perturbation axis, and how far it really moved the images."""

    id: str
    name: str
    title: str
    family: str
    against: str
    strength: float
    strength_text: str
    largest_change: float | None
    """Largest absolute change of any pixel of any image, pixels in [0, 1]; None if nothing was computed."""
    largest_distance: float | None
    """Largest Euclidean distance of an image from the clean one, over all channels of all pixels."""
    unchanged: int
    """Images that it left exactly as they were."""
    n: int

    @property
    def heading(self) -> str:
        """Return title and strength, if there is one."""
        return f"{self.title} {self.strength_text}".rstrip()


class Facts(Part):
    """What is known of a run before its numbers are: the first fields of the result, which every section may read."""

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


def strongest(conditions: Iterable[ConditionFacts]) -> tuple[ConditionFacts, ...]:
    """Return of each perturbation and attacked method the entry of the largest strength, in the order of the run."""
    chosen: dict[tuple[str, str], ConditionFacts] = {}
    for facts in conditions:
        known = chosen.setdefault((facts.name, facts.against), facts)
        if facts.strength > known.strength:
            chosen[facts.name, facts.against] = facts
    return tuple(chosen.values())
