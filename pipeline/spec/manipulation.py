"""The spec of a manipulated model: an audit's network, images and methods, and a table `[manipulation]`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.spec.audit import AuditSpec
from pipeline.spec.data import Images
from pipeline.spec.experiment import load_experiment_spec, refuse_perturbations
from pipeline.spec.values import SpecTable, Text, closest, shorten_value
from srd.registry import ATTRIBUTORS

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ManipulationSpec(SpecTable):
    """The goal and the settings by which a copy of the network is fine-tuned."""

    against: Text
    """The method whose maps are to move, one of `explain.methods`."""
    goal: Text
    """The place to which the maps are to move: `location_frame`, `location_corner`, `top_k` or `mass_centre`."""
    weight: Positive = 5.0
    """The weight of maps that have not reached the goal, relative to the cross-entropy."""
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    batch: Annotated[int, Field(ge=1, le=4096)] = 32
    """Images of a step."""
    rate: Positive = 1e-3
    """The learning rate of Adam."""
    images: Images | None = None
    """Number of images to fine-tune on: by default half of a folder's; for the demo as many as are audited."""


class ManipulatedModelSpec(AuditSpec):
    """Everything that the user asks of a manipulated model."""

    manipulation: ManipulationSpec

    @model_validator(mode="after")
    def _check_method(self) -> "ManipulatedModelSpec":
        method, methods = self.manipulation.against, self.explain.methods
        place = f"manipulation.against = {shorten_value(method)}"
        if method not in methods:
            raise ValueError(f"{place}: not among explain.methods; {closest(method, methods)}")
        if not ATTRIBUTORS[method].differentiable:
            able = [name for name in methods if ATTRIBUTORS[name].differentiable]
            raise ValueError(f"{place}: its maps have no gradient; name one of {shorten_value(able)}")
        refuse_perturbations(self)
        return self


def load_manipulated_model_spec(path: Path) -> ManipulatedModelSpec:
    """Return the spec in a TOML file.

    Raises
    ------
    SpecError
        With the file, the place, the value and the way out.
    """
    return load_experiment_spec(path, ManipulatedModelSpec, "manipulation", "add [manipulation] with against and goal")
