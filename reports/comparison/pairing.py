"""Whether two audits can be compared image by image, and what else is unlike between them."""

from collections.abc import Iterator, Mapping

import numpy as np

from reports.audit.facts import ConditionFacts
from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.quantities import Source
from reports.comparison.audits import Audit
from reports.comparison.networks import options_in_words
from reports.formatting import enumeration, percent, plural

SETTINGS: Mapping[Source, tuple[str, ...]] = {
    "quality": ("steps", "subsets"),
    "lead": ("steps",),
    "re-draws": ("redraws", "n_randomise"),
}
"""Source of a quantity -> the keys of the table [measure] that change what it means."""


def faults_of_pairing(before: Audit, after: Audit) -> tuple[str, ...]:
    """Return why two audits cannot be compared image by image; empty if they can."""
    return tuple(_faults(before, after))


def unlike_measurement(before: Audit, after: Audit, criterion: Criterion, condition: str) -> str:
    """Return why a criterion means different things in two audits under a condition; empty if it does not."""
    tables = [each.readings.attributes.fingerprinted.spec.measure for each in (before, after)]
    for key in SETTINGS.get(criterion.quantity.source, ()):
        values = [getattr(table, key) for table in tables]
        if values[0] != values[1]:
            return f"measure.{key} is {values[0]} in {before.name} and {values[1]} in {after.name}"
    facts = [_facts(each, condition) for each in (before, after)]
    if facts[0] is None or facts[1] is None:
        return ""
    if facts[0].draws != facts[1].draws:
        return f"{condition} has {facts[0].draws} draws in {before.name} and {facts[1].draws} in {after.name}"
    told = [_options(each, facts[0].name) for each in (before, after)]
    return "" if told[0] == told[1] else f"{told[0]} in {before.name}, {told[1]} in {after.name}"


def is_one_network(before: Audit, after: Audit) -> bool:
    """Return whether both audits are of the same weights and the same source."""
    first, second = before.result.identity, after.result.identity
    return (first.weights, first.network) == (second.weights, second.network)


def notes(before: Audit, after: Audit) -> Iterator[str]:
    """Yield sentences on what may be the cause of a change, or belongs beside it."""
    first, second = before.result.identity, after.result.identity
    one = "Both runs are of one network, with the same weights."
    yield one if is_one_network(before, after) else "The runs are of two networks, or of one with other weights."
    rates = [each.result.accuracy[0].accuracy.value for each in (before, after)]
    yield f"Accuracy on the clean images: {percent(rates[0])} before, {percent(rates[1])} after."
    targets = [np.asarray(each.readings.dataset["target"].values) for each in (before, after)]
    other = int((targets[0] != targets[1]).sum())
    if other:
        yield f"On {other} of {plural(len(targets[0]), 'image')} another class is explained, since it is predicted."
    stages = [name for name, digest in first.sources.items() if second.sources.get(name, digest) != digest]
    if stages:
        yield f"The auditing code of {enumeration(stages)} is not the same, and may be the cause of a change."
    if first.seed != second.seed:
        yield f"The seed is {first.seed} before and {second.seed} after, so that what is drawn at random differs."


def _faults(before: Audit, after: Audit) -> Iterator[str]:
    first, second = before.readings.image_ids, after.readings.image_ids
    if first != second:
        shared = len(set(first) & set(second))
        yield (
            f"{before.name} reads {plural(len(first), 'image')} and {after.name} {len(second)}, "
            f"of which {shared} are in both; audit the same images, in the same order"
        )
    elif before.result.identity.data_digest != after.result.identity.data_digest:
        yield "images of the same names are not the same pixels, labels or masks; audit the same files, resized alike"
    targets = [each.result.identity.target for each in (before, after)]
    if targets[0] != targets[1]:
        told = f"{targets[0]!r} in {before.name} and {targets[1]!r} in {after.name}"
        yield f"explain.target is {told}; explain the same class"


def _facts(audit: Audit, condition: str) -> ConditionFacts | None:
    return next((each for each in audit.result.conditions if each.id == condition), None)


def _options(audit: Audit, perturbation: str) -> str:
    facts = next(each for each in audit.result.perturbations if each.name == perturbation)
    return f"{facts.title} has {options_in_words((*facts.budget, *facts.options))}"
