"""Units of the work of dear tasks. A unit is measured in place of the task, and multiplied by what the task declares.

An attack on explanations costs what the cost of its entry says: restarts x steps x (1 map differentiated twice, half a
map), and what its evidence runs. An attack on predictions costs in proportion to options that its entry names. A method
explains one image after the other. What is asked of a network goes in batches.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import torch

from attacks.entries import EVIDENCE, PerturbationEntry
from attacks.explanations import evidence
from attacks.explanations.ascent import JUDGED
from attacks.explanations.gradients import DifferentiatedGradient, both_ways, sharpening_softplus, without_surrogate
from attacks.explanations.options import AttackOptions
from attacks.explanations.threat_model import BY_WHOLE_MAPS, Attack, Pace, attacking
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult, Images, Samples
from pipeline.estimate.passes import n_answers
from pipeline.plan.axes import depths
from pipeline.plan.conditions import Condition, threat
from pipeline.plan.tasks import Task
from pipeline.stages.asked import clean_images, is_asked, missing_arrays
from pipeline.stages.attribute import explain_first
from pipeline.stages.context import Context
from pipeline.stages.perturb import arrays_of, images_at_once, perturb
from pipeline.stages.randomise import explain_first as explain_redrawn
from pipeline.stages.randomise import redraw
from pipeline.stages.samples import images_at, options_of, samples
from pipeline.store.store import Arrays
from srd.removal.answers import ROWS, answers
from srd.types import Generators

T = TypeVar("T")

DEAR = 5.0
"""A task that takes more seconds is measured by a unit of it."""
QUICK = 1.0
"""A unit that takes fewer seconds is measured twice."""
PARTS = 10
"""An attack on predictions is measured with one of this many parts of its budget, and with two of them."""
GIVEN_MAPS = 2
"""The maps of a search's clean image and target image, beside which each restart has one at its start."""
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


def measure_unit(context: Context, task: Task) -> UnitMeasurement | None:
    """Measure a unit of a task; return None where a task has no unit, or is not dear."""
    found: UnitMeasurement | None
    if task.stage == "attribute":
        found = _first_image(context, task)
    elif task.stage in {"fit", "perturb"} and context.conditions[task.column].against:
        found = _step(context, task)
    elif task.stage == "perturb":
        found = _part(context, task)
    elif task.stage in {"occlude", "remove"}:
        found = _batch(context, task)
    elif task.stage == "randomise":
        found = _redrawn_network(context, task)
    else:
        return None
    return found if found and found.seconds > DEAR else None


def _first_image(context: Context, task: Task) -> UnitMeasurement:
    """Measure the maps of the first image, which then stand for those of all."""
    seconds, arrays = _time(partial(explain_first, context, task))
    return UnitMeasurement(seconds * len(context.rows(task)), 1, lambda: arrays)


def _batch(context: Context, task: Task) -> UnitMeasurement:
    """Measure one batch of the images that a task asks the network about."""
    row, image = clean_images(context, task)[0]
    inputs = context.inputs(image).expand(ROWS, -1, -1, -1)
    seconds, _ = _time(partial(answers, context.model.network, inputs, context.target([row])))
    method = context.spec.explain.methods[task.column]
    attacks = sum(condition.against == method for condition in context.conditions)
    asked = context.plan.n_images(task) * n_answers(context.plan, task.stage, attacks)
    return UnitMeasurement(seconds / ROWS * asked, 1, partial(_random_answers, context, task))


def _random_answers(context: Context, task: Task) -> Arrays:
    """Return arrays as the task would write them, with random numbers for the answers."""
    missing, asked = missing_arrays(context, task), is_asked(context, task).numpy()
    for values in missing.values():
        values[asked] = torch.rand(values[asked].shape).numpy()
    return missing


def _redrawn_network(context: Context, task: Task) -> UnitMeasurement:
    """Measure a network with all weights drawn again, and the map of the first image by it."""
    depth = list(depths(context.spec.measure).values())[-1]
    drawing, network = _time(partial(redraw, context, depth))
    explaining, arrays = _time(partial(explain_redrawn, context, task, network))
    seconds = context.plan.sizes["depth"] * (drawing + explaining * context.plan.n_images(task))
    return UnitMeasurement(seconds, 1, lambda: arrays)


def _part(context: Context, task: Task) -> UnitMeasurement | None:
    """Measure an attack on predictions with a part of its budget and with two, if its work is proportional to that."""
    condition = context.conditions[task.column]
    proportional_to = PERTURBATIONS[condition.name].proportional_to if condition.name in PERTURBATIONS else ()
    if not proportional_to:
        return None
    budget: Mapping[str, Any] = threat(condition).budget
    part = {name: max(1, budget[name] // PARTS) for name in proportional_to}
    shortened = (_with_options(context, task, {name: k * part[name] for name in part}) for k in (1, 2))
    (one, _), (two, arrays) = (_time(partial(perturb, each, task)) for each in shortened)
    parts = max(budget[name] / part[name] for name in part)
    return UnitMeasurement(one + (parts - 1) * max(two - one, 0), 1, lambda: arrays)


def _with_options(context: Context, task: Task, options: Mapping[str, Any]) -> Context:
    """Return the context with other options of the task's perturbation."""
    changed = list(context.conditions)
    condition = changed[task.column]
    changed[task.column] = replace(condition, options={**condition.options, **options})
    return replace(context, conditions=tuple(changed))


def _step(context: Context, task: Task) -> UnitMeasurement:
    condition = context.conditions[task.column]
    images = context.plan.n_images(task)
    seconds = _attack_seconds(context, condition, task) * images
    together = images if task.stage == "fit" else min(images, images_at_once(context))
    return UnitMeasurement(seconds, together, partial(_random_arrays, context, task, condition))


def _attack_seconds(context: Context, condition: Condition, task: Task) -> float:
    """Return the seconds of an attack for each image, measured on one image at a random point of the ball."""
    entry, rows = PERTURBATIONS[condition.name], context.rows(task)[:1]
    options = AttackOptions(**entry.fixed, **options_of(context, condition))
    sample, generators = samples(context, rows), context.generators("unit", rows, condition.id)
    with attacking(options, context.model, sample, condition.strength, generators) as attack:
        images = (sample.images + attack.ball.sample(sample.images, generators)).clamp(0, 1)
        step = _measure_step(attack, images, entry)
        seconds = 0.0
        if task.stage == "fit" or not entry.is_universal:
            seconds += _search_seconds(step, condition, entry, attack.pace)
        if task.stage == "perturb":
            seconds += _controls(attack, sample, images, step)
        if task.stage == "perturb" and entry.needs_gradient:
            seconds += _slopes(attack, images, generators, step)
        return seconds


def _search_seconds(step: _Step, condition: Condition, entry: PerturbationEntry, pace: Pace) -> float:
    budget: Mapping[str, Any] = threat(condition).budget
    restarts = budget["restarts"] if entry.needs_gradient else 1
    start: float = (GIVEN_MAPS + restarts) * step.rating
    if not entry.needs_gradient:
        return start + float(budget["steps"] * (2 * budget["pairs"] + 1 / BY_WHOLE_MAPS.judged)) * step.rating
    gradients = -(-restarts // 2) * step.softplus + restarts // 2 * step.exact
    search: float = pace.steps_of(budget["steps"]) * (gradients + restarts * step.rating / pace.judged)
    return start + search


def _measure_step(attack: Attack, images: Images, entry: PerturbationEntry) -> _Step:
    """Measure each part of a step once."""
    rating, _ = _time(partial(attack.objectives.judge, images))
    if not entry.needs_gradient:
        return _Step(0.0, 0.0, rating)
    through_softplus, through_network = (partial(way, images, 0.5) for way in both_ways(attack.estimated.gain))
    softplus, _ = _time(through_softplus)
    exact = softplus if softplus > SLOW else _time(through_network)[0]
    return _Step(softplus, exact, rating)


def _controls(attack: Attack, sample: Samples, images: Images, step: _Step) -> float:
    """Return the seconds of the evidence's controls: maps, and PGD on the prediction, one pass of which is measured."""
    loss = DifferentiatedGradient(evidence.loss_of(attack.objectives, sample), without_surrogate)
    moving, _ = _time(partial(loss, images, 0.0))
    judging, _ = _time(partial(loss.value, images, 0.0))
    passes = evidence.PGD_STEPS * moving + (evidence.PGD_STEPS // JUDGED + 1) * judging
    return evidence.CONTROL_MAPS * step.rating + passes


def _slopes(attack: Attack, images: Images, generators: Generators, step: _Step) -> float:
    """Return the seconds of the evidence's slopes: maps and a gradient in double precision, one map is measured."""
    gain = DifferentiatedGradient(evidence.in_double(attack.estimated, generators).gain, sharpening_softplus)
    one_map, _ = _time(partial(gain.value, images.double(), 0.0))
    in_single, _ = _time(partial(attack.estimated.judge, images))
    return (evidence.SLOPE_MAPS + step.softplus / in_single) * one_map


def _random_arrays(context: Context, task: Task, condition: Condition) -> Arrays:
    """Return arrays as the task would write them, with random signs in place of what it would find."""
    rows = context.rows(task)
    images = images_at(context, rows)
    if task.stage == "fit":
        return {"displacement": _random_signs(images[:1], condition).cpu().numpy()}
    values = {name: torch.rand(len(rows)) for name in EVIDENCE}
    displaced = (images + _random_signs(images, condition)).clamp(0, 1)
    return arrays_of(context, task, AttackResult(displaced, values))


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
