"""A row of the table of stages: what a task of one stage reads and writes, and the function that computes it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, get_args

from pipeline.plan.schema import Group, Question, Variable

Axis = Literal["perturbation", "method"]
Entries = Literal["methods", "attacked methods", "perturbations", "metrics"]
"""Entries of registries: those that the spec names, and all metrics."""


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
    asks: Question | None = None
    """The question that the stage asks the network, about the images that the plan names; None stands for all."""
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
