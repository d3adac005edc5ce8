"""The section on threats: the threat model of each perturbation, and the measured change by each condition."""

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from attacks.entries import PerturbationEntry
from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import CLEAN, Condition
from pipeline.plan.conditions import conditions as expand
from pipeline.spec.audit import PerturbationSpec, attacked_methods
from reports.audit.facts import ConditionFacts, PerturbationFacts, RunFacts
from reports.audit.options import free_options, in_words
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Cell, Table
from reports.formatting import NONE, condition_in_words, method_title

BLOCK = 64_000_000
"""Bytes of images that are in memory at once, at least one image under all conditions."""


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    return {"perturbations": perturbations(readings), "conditions": conditions(readings)}


def perturbations(readings: Readings) -> tuple[PerturbationFacts, ...]:
    """Return the perturbations of the spec, in its order."""
    asked = readings.attributes.fingerprinted.spec.perturbation
    return tuple(_perturbation(each, PERTURBATIONS[each.name], readings) for each in asked)


def conditions(readings: Readings) -> tuple[ConditionFacts, ...]:
    """Return the conditions but `clean`, with the change that each really made."""
    asked = {condition.group: condition for condition in expand(readings.attributes.fingerprinted.spec)}
    sizes = _sizes_of_changes(readings.dataset["input"])
    return tuple(_condition(readings, asked[name], sizes) for name in readings.perturbed_conditions)


def _perturbation(asked: PerturbationSpec, entry: PerturbationEntry, readings: Readings) -> PerturbationFacts:
    against = attacked_methods(asked, readings.methods)
    options = free_options(entry, asked.options)
    return PerturbationFacts(
        name=entry.name,
        title=entry.title,
        family=entry.family,
        goal=entry.goal,
        access=entry.access,
        constraint=entry.constraint,
        strengths=tuple(strength.text for strength in asked.strengths),
        against=against if entry.attacks_attributor else (),
        cost=entry.cost,
        reference=entry.reference,
        budget=tuple(option for option in options if option.name in entry.budget),
        options=tuple(option for option in options if option.name not in entry.budget),
    )


def _condition(readings: Readings, condition: Condition, sizes: NDArray[np.float64]) -> ConditionFacts:
    changes = _changes(readings, condition.group, sizes)
    return ConditionFacts(
        id=condition.group,
        name=condition.name,
        title=PERTURBATIONS[condition.name].title,
        family=condition.family,
        against=condition.against,
        strength=condition.strength,
        strength_text=condition.strength_text,
        draws=len(readings.columns(condition.group)),
        largest_change=float(changes[:, 0].max()) if len(changes) else None,
        largest_distance=float(changes[:, 1].max()) if len(changes) else None,
        unchanged=int((changes[:, 0] == 0).sum()),
        n=len(changes),
    )


def _changes(readings: Readings, condition: str, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest absolute change of a value and the L2 distance of every computed image: (n, 2).

    Of several draws, both are the largest.
    """
    both = readings.is_predicted(CLEAN) & readings.is_predicted(condition)
    largest: NDArray[np.float64] = sizes[both][:, readings.columns(condition)].max(1)
    return largest


def _sizes_of_changes(inputs: xr.DataArray) -> NDArray[np.float64]:
    """Return the largest absolute change of a value and the L2 distance from the clean image: (n, columns, 2)."""
    n, columns, *shape = inputs.shape
    at_once = max(1, BLOCK // (columns * math.prod(shape) * inputs.dtype.itemsize))
    blocks = (inputs.isel(image=slice(start, start + at_once)).values for start in range(0, n, at_once))
    return np.concatenate([_sizes_in_block(block) for block in blocks])


def _sizes_in_block(block: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = []
    for images in block.astype(np.float64):
        moved = (images - images[0]).reshape(len(images), -1)
        rows.append(np.stack([np.abs(moved).max(1), np.linalg.norm(moved, axis=1)], 1))
    return np.stack(rows)


def _threats_table(result: RunFacts) -> Table:
    """Return the table of the threat models."""
    rows = (
        (
            Cell(each.title, each.family),
            Cell(each.goal),
            Cell(each.constraint),
            Cell(each.access),
            Cell(in_words(each.budget)),
            Cell(", ".join(each.strengths) or NONE),
            Cell(", ".join(method_title(name) for name in each.against) or NONE),
        )
        for each in result.perturbations
    )
    header = ("perturbation", "goal", "constraint", "access", "budget", "strengths", "against")
    caption = "Threat model: goal, constraint, access, budget and strengths of each perturbation. Pixels lie in [0, 1]."
    return Table(caption, header, tuple(rows))


def _options_table(result: RunFacts) -> Table:
    """Return the table of all other options, with cost and source."""
    rows = (
        (Cell(each.title), Cell(in_words(each.options)), Cell(each.cost), Cell(each.reference or NONE))
        for each in result.perturbations
    )
    header = ("perturbation", "options", "cost", "source")
    return Table("Options, cost and source of each perturbation.", header, tuple(rows))


def _changes_table(result: RunFacts) -> Table:
    """Return the table of how far each condition really moved the images."""
    rows = ((Cell(condition_in_words(each.id)), *_change(each)) for each in result.conditions)
    header = (
        "condition",
        "strength",
        "largest change of a pixel",
        "largest L2 distance",
        "images left as they were",
        "n",
    )
    return Table("Measured size of each condition, over all its images.", header, tuple(rows))


def _change(each: ConditionFacts) -> tuple[Cell, ...]:
    strength = f"{each.strength_text} = {each.strength:.4f}" if each.strength_text else NONE
    sizes = (NONE if size is None else f"{size:.4f}" for size in (each.largest_change, each.largest_distance))
    texts = strength, *sizes, str(each.unchanged), str(each.n)
    return tuple(Cell(text) for text in texts)


def _body(result: RunFacts, _: Pictures) -> Mapping[str, object]:
    return {"threats": _threats_table(result), "options": _options_table(result), "changes": _changes_table(result)}


THREATS = Section(
    id="threats",
    title="Threat model",
    heading="Threat model",
    template="threats",
    body=_body,
    numbers=_numbers,
)
