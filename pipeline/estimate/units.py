"""Units of the work of dear tasks. A unit is measured in place of the task, and multiplied by what the task declares.

An attack on explanations costs what the cost of its entry says: restarts x steps x (1 map differentiated twice, half a
map). A method explains one image after the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import torch

from attacks.entries import EVIDENCE, PerturbationEntry
from attacks.explanations.gradients import both_ways
from attacks.explanations.options import AttackOptions
from attacks.explanations.threat_model import attacking
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult, Images
from pipeline.plan.conditions import Condition, threat
from pipeline.plan.tasks import Task
from pipeline.stages.attribute import explain_first
from pipeline.stages.context import Context
from pipeline.stages.perturb import arrays_of
from pipeline.stages.samples import images_at, options_of, samples
from pipeline.store.store import Arrays

T = TypeVar("T")

DEAR = 5.0
"""A task that takes more seconds is measured by a unit of it."""
QUICK = 1.0
"""A unit that takes fewer seconds is measured twice."""
EVIDENCE_STEPS = 12
"""The evidence of an attack costs about as much as this many of its steps: on MobileNetV2 7 (Saliency) to 27."""
SLOW = 10.0
"""If a gradient through softplus takes more seconds, that through the network as it is counts as much unmeasured."""


@dataclass(frozen=True)
class UnitMeasurement:
    """The measurement of a unit, and arrays of the shape and the kind of those that the task would write."""

    seconds: float
    """The seconds of the task."""
    batch: int
    """How many times as many images as the unit the task looks at together; its memory grows with them."""
    arrays: Callable[[], Arrays]


@dataclass(frozen=True)
class _Step:
    """The seconds of the parts of an attack's step, for one image."""

    softplus: float
    exact: float
    rating: float

    @property
    def gradient(self) -> float:
        return (self.softplus + self.exact) / 2


def measure_unit(context: Context, task: Task) -> UnitMeasurement | None:
    """Measure a unit of a task; return None where a task has no unit, or is not dear."""
    if task.stage == "attribute":
        found = _first_image(context, task)
    elif task.stage in {"fit", "perturb"} and context.conditions[task.column].against:
        found = _step(context, task)
    else:
        return None
    return found if found.seconds > DEAR else None


def _first_image(context: Context, task: Task) -> UnitMeasurement:
    """Measure the maps of the first image, which then stand for those of all."""
    seconds, arrays = _time(partial(explain_first, context, task))
    return UnitMeasurement(seconds * len(context.rows(task)), 1, lambda: arrays)


def _step(context: Context, task: Task) -> UnitMeasurement:
    condition = context.conditions[task.column]
    images = context.plan.n_images(task)
    seconds = _attack_seconds(context, condition, task) * images
    return UnitMeasurement(seconds, images, partial(_random_arrays, context, task, condition))


def _attack_seconds(context: Context, condition: Condition, task: Task) -> float:
    """Return the seconds of an attack for each image."""
    entry = PERTURBATIONS[condition.name]
    budget: Mapping[str, Any] = threat(condition).budget
    step = _measure_step(context, condition, entry, context.rows(task)[:1])
    if not entry.needs_gradient:
        return float(budget["steps"] * (2 * budget["pairs"] + 0.5) + EVIDENCE_STEPS) * step.rating
    evidence = EVIDENCE_STEPS * step.gradient
    if entry.is_universal and task.stage == "perturb":
        return evidence
    restarts = budget["restarts"]
    gradients = -(-restarts // 2) * step.softplus + restarts // 2 * step.exact
    search: float = budget["steps"] * (gradients + restarts * step.rating / 2)
    return search if task.stage == "fit" else search + evidence


def _measure_step(context: Context, condition: Condition, entry: PerturbationEntry, rows: range) -> _Step:
    """Measure each part of a step once, on one image at a random point of the ball."""
    options = AttackOptions(**entry.fixed, **options_of(context, condition))
    sample, generators = samples(context, rows), context.generators("unit", rows, condition.id)
    with attacking(options, context.model, sample, condition.strength, generators) as attack:
        images = (sample.images + attack.ball.sample(sample.images, generators)).clamp(0, 1)
        rating, _ = _time(partial(attack.objectives.judge, images))
        if not entry.needs_gradient:
            return _Step(0.0, 0.0, rating)
        through_softplus, through_network = (partial(way, images, 0.5) for way in both_ways(attack.objectives.gain))
        softplus, _ = _time(through_softplus)
        exact = softplus if softplus > SLOW else _time(through_network)[0]
    return _Step(softplus, exact, rating)


def _random_arrays(context: Context, task: Task, condition: Condition) -> Arrays:
    """Return arrays as the task would write them, with random signs in place of what it would find."""
    rows = context.rows(task)
    images = images_at(context, rows)
    if task.stage == "fit":
        return {"displacement": _random_signs(images[:1], condition).cpu().numpy()}
    evidence = {name: torch.rand(len(rows)) for name in EVIDENCE}
    displaced = (images + _random_signs(images, condition)).clamp(0, 1)
    return arrays_of(context, task, AttackResult(displaced, evidence))


def _random_signs(images: Images, condition: Condition) -> Images:
    size = condition.strength / images[0].numel() ** 0.5 if condition.norm == "L2" else condition.strength
    return size * torch.randn_like(images).sign()


def _time(function: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds of a call and its result: of a quick one those of a second call, as the first warms up."""
    began = perf_counter()
    result = function()
    seconds = perf_counter() - began
    if seconds > QUICK:
        return seconds, result
    began = perf_counter()
    result = function()
    return perf_counter() - began, result
