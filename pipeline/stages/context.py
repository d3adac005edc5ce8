"""The context that all tasks of one audit share within a process."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.types import Images, Model
from pipeline.inputs.data import Data
from pipeline.machine import seeds
from pipeline.plan.conditions import Condition
from pipeline.plan.tasks import Plan, Task
from pipeline.spec.audit import AuditSpec
from pipeline.stages.batches import rows_at_once
from pipeline.store.store import Store
from srd.entries import AttributorEntry
from srd.registry import ATTRIBUTORS
from srd.sampled import SampledAttributor
from srd.types import Attributor, Generators, Inputs, Target

BACKGROUND = 32  # images, from which Expected Gradients start


@dataclass(frozen=True)
class Context:
    """Everything that the tasks of one audit share within a process."""

    spec: AuditSpec
    conditions: tuple[Condition, ...]
    plan: Plan
    store: Store
    data: Data
    model: Model

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        return self.store.read("target")

    @cached_property
    def other_classes(self) -> NDArray[np.int64]:
        return self.store.read("other_class")

    @cached_property
    def target_images(self) -> NDArray[np.int64]:
        return self.store.read("target_image")

    @cached_property
    def rows_at_once(self) -> int:
        """Return how many rows pass the network together where a method keeps a graph."""
        return _rows_at_once(self.model, self.data)

    def inputs(self, images: Images) -> Inputs:
        """Return images as the network reads them, on its device."""
        return self.model.normalise(images.to(self.model.device))

    def target(self, rows: Sequence[int]) -> Target:
        """Return the explained classes, on the network's device."""
        return torch.from_numpy(self.targets[list(rows)]).to(self.model.device)

    def attributor(self, name: str) -> Attributor:
        return attributor(self.spec, self.model, self.data, name)

    def attackable(self, name: str) -> Attributor:
        """Return the method as attacks take it: with its estimate, if it has one."""
        whole, entry = self.attributor(name), ATTRIBUTORS[name]
        if not entry.estimate:
            return whole
        return SampledAttributor(
            whole, partial(entry.load_estimate(), **arguments(self.spec, self.model, self.data, name))
        )

    def generators(self, stage: str, rows: Iterable[int], *key: str) -> Generators:
        """Return one random stream for each image."""
        return [seeds.generator(self.spec.run.seed, stage, self.data.ids[row], *key) for row in rows]

    def rows(self, task: Task) -> range:
        return self.plan.rows(task)


def attributor(spec: AuditSpec, model: Model, data: Data, name: str) -> Attributor:
    """Return the method with the spec's options and the facts that it needs of model and data."""
    return partial(ATTRIBUTORS[name].load(), **arguments(spec, model, data, name))


def own_attributor(spec: AuditSpec, model: Model, data: Data, name: str) -> Attributor:
    """Return the same method, but with maps of its own resolution."""
    return partial(ATTRIBUTORS[name].native(), **arguments(spec, model, data, name))


def arguments(spec: AuditSpec, model: Model, data: Data, name: str) -> dict[str, Any]:
    """Return the keyword arguments of a method: the spec's options and the facts that it needs."""
    entry = ATTRIBUTORS[name]
    needed = {fact: _FACTS[fact](spec, model, data) for fact in sorted(entry.needs)}
    return needed | _batch(entry, model, data) | spec.explain.options.get(name, {})


def _batch(entry: AttributorEntry, model: Model, data: Data) -> dict[str, int]:
    """Return how many copies a method passes at once, if it keeps their graphs and a budget holds fewer than it would.

    What is drawn does not depend on it.
    """
    if "batch" not in entry.options or not entry.differentiable:
        return {}
    return {"batch": min(_rows_at_once(model, data), entry.options["batch"])}


def _rows_at_once(model: Model, data: Data) -> int:
    return rows_at_once(model.network, model.normalise(data.images(range(1)).to(model.device)))


def _background(spec: AuditSpec, model: Model, data: Data) -> Inputs:
    """Return some of the data's images, drawn by a stream of their own."""
    rows = seeds.permutation(spec.run.seed, len(data.ids), "background")[:BACKGROUND]
    return model.normalise(data.images(rows).to(model.device))


_FACTS: Mapping[str, Callable[[AuditSpec, Model, Data], Any]] = MappingProxyType(
    {
        "encoder": lambda spec, model, data: spec.model.encoder,
        "operations": lambda spec, model, data: spec.model.operations,
        "baseline": lambda spec, model, data: model.black,
        "background": _background,
    }
)
