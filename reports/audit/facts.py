"""Plain facts of a run, as `audit.json` keeps them: identity, methods, conditions and completeness."""

from collections.abc import Iterable
from typing import Literal

from attacks.registry import PERTURBATIONS
from pipeline.verification.findings import Verification
from reports.formatting import Caveats, at_strength, title_with_caveat
from reports.result import ResultModel
from reports.statistics import Policy

DIGEST_SHOWN = 16
"""The characters of a digest that are shown."""
OptionScalar = bool | int | float | str

EXPLANATION = "attack on the explanation"
PREDICTION = "attack on the prediction"
NOISE = "noise"
"""These three are families of perturbations."""


class Identity(ResultModel):
    """Identity of the audited model, the data, the code and the machine."""

    fingerprint: str
    model: str
    parameters: int
    weights: str
    """SHA-256 of the weights."""
    network: str
    """SHA-256 of the source of the network."""
    data: str
    description: str
    notes: tuple[str, ...]
    """Sentences on the input: what was left out or unwrapped, and an accuracy near chance."""
    data_digest: str
    """SHA-256 of all that images, labels and masks are made from."""
    sources: dict[str, str]
    """SHA-256 of the auditing code of each stage, and of what it reads from others."""
    versions: dict[str, str]
    hardware: str
    sizes: dict[str, int]
    classes_present: int
    """Number of classes that at least one image has."""
    has_masks: bool
    tile: int
    seed: int
    target: str
    operations: dict[str, str]
    """The torch functions that the spec declares, each with what it says that they are; they change the maps."""
    spec: str
    """The spec of the run as TOML; relative paths in it start at the folder of the original file."""

    @property
    def code(self) -> str:
        """Return the beginnings of the digests in `sources`, in words."""
        return ", ".join(f"{stage} {digest[:DIGEST_SHOWN]}" for stage, digest in self.sources.items())


class StageProgress(ResultModel):
    """Numbers of tasks of a stage."""

    stage: str
    done: int
    planned: int


class UndefinedScores(ResultModel):
    """Number of scores of one method that have no value, for one reason."""

    method: str
    reason: str
    scores: int


class TaskFailure(ResultModel):
    """A task that failed each time it was tried."""

    task: str
    images: str
    """First and last image of the task."""
    of: str
    """The method or the condition of the task."""
    cause: str


class Completeness(ResultModel):
    """Numbers of tasks and scores that were planned, done, failed or undefined."""

    stages: tuple[StageProgress, ...]
    failures: tuple[TaskFailure, ...] = ()
    scores: int
    """Scores planned: images x conditions x methods x metrics."""
    undefined: tuple[UndefinedScores, ...]

    @property
    def is_complete(self) -> bool:
        """Return whether no task is missing."""
        return all(stage.done == stage.planned for stage in self.stages)


class Certificate(ResultModel):
    """One property of the demo network, and whether it holds."""

    name: str
    meaning: str
    rate: float
    bound: str
    passed: bool
    n: int
    unit: str = "share of scenes"


class OptionValue(ResultModel):
    """The value of an option and its origin."""

    name: str
    value: OptionScalar | None
    origin: Literal["spec", "default", "fixed"]
    """A default is that of the sources which wrote this report. A fixed option is part of the method's definition."""


class MethodFacts(ResultModel):
    """An explanation method as in the registry, with its options in this run."""

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
    options: tuple[OptionValue, ...]
    caveat: str = ""
    """The finding of a self-check that stands beside every number of the method; empty if there is none."""


class PerturbationFacts(ResultModel):
    """A perturbation of the spec, with its threat model and options."""

    name: str
    title: str
    family: str
    goal: str
    access: str
    constraint: str
    """The constraint on the perturbed images, in terms of the strength."""
    strengths: tuple[str, ...]
    against: tuple[str, ...]
    cost: str
    reference: str
    budget: tuple[OptionValue, ...]
    """Options that bound the work of the attacker."""
    options: tuple[OptionValue, ...]
    """All other options."""


class ConditionFacts(ResultModel):
    """A condition, and how far it really moved the images."""

    id: str
    name: str
    title: str
    family: str
    against: str
    strength: float
    strength_text: str
    draws: int = 1
    """Number of draws of a random change, which are averaged within each image."""
    largest_change: float | None
    """Largest absolute change of any pixel of any image, pixels in [0, 1]; None if nothing was computed."""
    largest_distance: float | None
    """Largest Euclidean distance of an image from the clean image, over all channels of all pixels."""
    unchanged: int
    """Number of images that it left exactly as they were."""
    n: int

    @property
    def heading(self) -> str:
        """Return the title, with the strength if there is one, and the number of draws if there are several."""
        drawn = f" ({self.draws} draws)" if self.draws > 1 else ""
        return at_strength(self.title, self.strength_text) + drawn


class RunFacts(ResultModel):
    """The first fields of the result: facts of a run that every section may read."""

    schema_version: Literal[4] = 4
    summary: tuple[str, ...]
    identity: Identity
    completeness: Completeness
    verifications: tuple[Verification, ...] = ()
    statistics: Policy
    certificates: tuple[Certificate, ...]
    methods: tuple[MethodFacts, ...]
    perturbations: tuple[PerturbationFacts, ...]
    conditions: tuple[ConditionFacts, ...]

    @property
    def caveats(self) -> Caveats:
        """Return method -> caveat, for the methods that have one."""
        return {method.name: method.caveat for method in self.methods if method.caveat}

    def title_of(self, method: str) -> str:
        """Return the title of a method where a sentence tells its numbers: with its caveat, if it has one."""
        return title_with_caveat(method, self.caveats)


def aims_to_move_maps(facts: ConditionFacts) -> bool:
    """Return whether a condition is an attack on an explanation that aims to move its map."""
    return facts.family == EXPLANATION and not PERTURBATIONS[facts.name].keeps_map


def strongest_conditions(conditions: Iterable[ConditionFacts]) -> tuple[ConditionFacts, ...]:
    """Return, for each perturbation and attacked method, the condition of the largest strength."""
    chosen: dict[tuple[str, str], ConditionFacts] = {}
    for facts in conditions:
        known = chosen.setdefault((facts.name, facts.against), facts)
        if facts.strength > known.strength:
            chosen[facts.name, facts.against] = facts
    return tuple(chosen.values())


def furthest_condition(conditions: Iterable[ConditionFacts], family: str) -> ConditionFacts | None:
    """Return the condition of a family that moved an image furthest, by Euclidean distance; None without any."""
    members = (facts for facts in conditions if facts.family == family)
    return max(members, key=lambda facts: facts.largest_distance or 0.0, default=None)
