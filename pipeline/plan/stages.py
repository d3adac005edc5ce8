"""The table of stages: what a task of each stage reads and writes, and the function that computes it.

Everything that knows stages reads this table: plan, store, dependencies, commands, status, estimate, reports. A new
stage is a row here and a file in `pipeline.stages`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, get_args

from pipeline.plan.schema import MEASURES, PREPARED, Group, Variable

Axis = Literal["perturbation", "method"]
Entries = Literal["methods", "attacked methods", "perturbations", "metrics"]
"""Entries of registries: those that the spec names, and all metrics."""
_MAP = ("y", "x")


@dataclass(frozen=True)
class ReadRule:
    """The tasks of an earlier stage whose output a task reads."""

    stage: str
    columns: Literal["same", "all", "clean"]
    """Columns of the earlier stage: the task's own column, every column, or the first (the clean images)."""
    tiles: Literal["own", "target images"] = "own"
    """The task's own tile; or also the tiles that hold the target images of its images."""


@dataclass(frozen=True)
class Stage:
    """One kind of task."""

    name: str
    axis: Axis | None
    """The dimension whose elements the tasks share out, one column each; None stands for a single column."""
    reads: tuple[ReadRule, ...]
    writes: tuple[Variable, ...]
    function: str
    """`module:function`; the function takes (context, task) and returns arrays."""
    group: Group | None = None
    """The group of columns that have tasks; None stands for all."""
    per_tile: bool = True
    """Whether there is a task for each tile of images; else there is one task for all images."""
    images: int | None = None
    """The largest number of images that a task for all images looks at; None stands for all."""
    entries: tuple[Entries, ...] = get_args(Entries)
    """The entries that the tasks call, whose sources are part of the stage's."""
    controls: tuple[str, ...] = ()
    """The methods that the tasks call whatever the spec names."""
    spec_keys: tuple[str, ...] = ()
    """The keys of the spec, such as `run.seed`, that only stages which name them read.

    After a change of one, a run goes on with the same store, and does these stages again.
    """

    def load(self) -> Callable[..., Any]:
        """Import the function, and return it."""
        module, function = self.function.split(":")
        loaded: Callable[..., Any] = getattr(import_module(module), function)
        return loaded


_ROWS: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            name="fit",
            axis="perturbation",
            group="universal",
            per_tile=False,
            images=32,
            entries=("perturbations", "attacked methods"),
            reads=(),
            writes=(
                Variable(
                    "displacement",
                    ("perturbation", "channel", *_MAP),
                    "float32",
                    "of a universal perturbation: what is added to every image",
                    whole=("channel", *_MAP),
                    group="universal",
                ),
            ),
            function="pipeline.stages.fit:fit",
        ),
        Stage(
            name="perturb",
            axis="perturbation",
            entries=("perturbations", "attacked methods"),
            reads=(ReadRule("fit", "same"),),
            writes=(
                Variable(
                    "input",
                    ("image", "perturbation", "channel", *_MAP),
                    "float32",
                    "what every method saw, in [0, 1]",
                    whole=("channel", *_MAP),
                    is_large=True,
                ),
                Variable("prediction", ("image", "perturbation", "class"), "float32", "logits", whole=("class",)),
                Variable(
                    "change",
                    ("image", "perturbation", "measure"),
                    "float32",
                    "how far the image is from the clean one: " + "; ".join(f"{k}: {v}" for k, v in MEASURES.items()),
                    whole=("measure",),
                ),
                Variable(
                    "attack_evidence",
                    ("image", "perturbation", "evidence"),
                    "float32",
                    "how an attack on an explanation searched, as the attribute evidence explains",
                    whole=("evidence",),
                    group="attack",
                ),
                Variable("mask", ("image", *_MAP), "bool", "where the object is", whole=_MAP, group="masked"),
            ),
            function="pipeline.stages.perturb:perturb",
        ),
        Stage(
            name="attribute",
            axis="method",
            entries=("methods",),
            reads=(ReadRule("perturb", "all"),),
            writes=(
                Variable(
                    "attribution",
                    ("image", "perturbation", "method", *_MAP),
                    "float16",
                    "map of the target, divided by scale",
                    whole=("perturbation", *_MAP),
                    is_large=True,
                ),
                Variable(
                    "scale",
                    ("image", "perturbation", "method"),
                    "float32",
                    "power of two that attribution is to be multiplied by",
                    whole=("perturbation",),
                ),
                Variable(
                    "other_class_attribution",
                    ("image", "method", *_MAP),
                    "float16",
                    "map of other_class on the clean image, divided by other_class_scale",
                    whole=_MAP,
                    is_large=True,
                ),
                Variable(
                    "other_class_scale",
                    ("image", "method"),
                    "float32",
                    "power of two that other_class_attribution is to be multiplied by",
                ),
                Variable(
                    "repeat_attribution",
                    ("image", "method", *_MAP),
                    "float16",
                    "of methods that draw at random: map of the target on the clean image, drawn again, divided by "
                    "repeat_scale",
                    whole=_MAP,
                    is_large=True,
                    group="stochastic",
                ),
                Variable(
                    "repeat_scale",
                    ("image", "method"),
                    "float32",
                    "power of two that repeat_attribution is to be multiplied by",
                    group="stochastic",
                ),
            ),
            function="pipeline.stages.attribute:attribute",
        ),
        Stage(
            name="score",
            axis="method",
            entries=("metrics",),
            controls=("edges",),
            reads=(ReadRule("perturb", "clean"), ReadRule("attribute", "same", tiles="target images")),
            writes=(
                Variable(
                    "score",
                    ("image", "perturbation", "method", "metric"),
                    "float32",
                    "metric of the map; similarities are to the clean map of the same image and method",
                    whole=("perturbation", "metric"),
                ),
                Variable(
                    "reason",
                    ("image", "perturbation", "method", "metric"),
                    "uint8",
                    "why a score is NaN, as numbered by the attribute reasons",
                    whole=("perturbation", "metric"),
                ),
                Variable(
                    "reference_similarity",
                    ("image", "method", "reference", "similarity"),
                    "float32",
                    "similarity of the clean map to another map, which gives similarities their scale",
                    whole=("reference", "similarity"),
                ),
                Variable(
                    "target_similarity",
                    ("image", "perturbation", "method", "similarity"),
                    "float32",
                    "similarity of the map to the same method's clean map of target_image",
                    whole=("perturbation", "similarity"),
                ),
                Variable(
                    "other_class_similarity",
                    ("image", "perturbation", "method", "similarity"),
                    "float32",
                    "similarity of the map to the same method's map of other_class on the clean image",
                    whole=("perturbation", "similarity"),
                ),
            ),
            function="pipeline.stages.score:score",
        ),
    )
}
STAGES: Mapping[str, Stage] = MappingProxyType(_ROWS)
"""The stages by name, in an order in which they can run."""


class _Variables(Mapping[str, Variable]):
    """The variables that are prepared and those that the stages write, by name."""

    def __getitem__(self, name: str) -> Variable:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @staticmethod
    def _all() -> dict[str, Variable]:
        return {**PREPARED, **{variable.name: variable for stage in STAGES.values() for variable in stage.writes}}


VARIABLES: Mapping[str, Variable] = _Variables()
"""Every array of the store, except its coordinates."""
