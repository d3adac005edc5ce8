"""Hand-made stores of several methods, with the facts of their conditions and the verdicts on their attacks."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import xarray as xr
from hand_made_readings import small_store

from attacks.registry import PERTURBATIONS
from reports.audit.facts import ConditionFacts, MethodFacts
from reports.audit.reliability import AttackVerdict
from reports.audit.sections import AuditResult
from reports.result import Verdict
from srd.registry import ATTRIBUTORS

NOISE = "gaussian_noise@0.1"
HIT, MISS = 0.1, 0.9
"""Similarities to the map of the target image, where that to the own image is 0.5."""


def store_of(n: int, methods: Sequence[str], conditions: Sequence[str] = (NOISE,)) -> xr.Dataset:
    """A store in which every image is a hit of own image for every method under every condition."""
    dataset = small_store(n, conditions, methods)
    dataset.score.loc[{"metric": "pearson"}] = 0.5
    dataset.target_similarity[:] = HIT
    return dataset


def set_misses(dataset: xr.Dataset, condition: str, method: str, count: int) -> None:
    """Make the first images of a method misses of own image under a condition."""
    where = {"perturbation": condition, "method": method, "similarity": "pearson"}
    dataset.target_similarity.loc[where] = [MISS] * count + [HIT] * (dataset.sizes["image"] - count)


def facts_of(
    dataset: xr.Dataset,
    verdicts: Mapping[str, Verdict] | None = None,
    distances: Mapping[str, float] | None = None,
) -> AuditResult:
    """The facts of a store. An attack without a verdict is reliable; a condition's distance is by its perturbation."""
    groups = list(dict.fromkeys(str(name) for name in dataset.perturbation_group.values[1:]))
    conditions = tuple(_condition(name, dataset, distances or {}) for name in groups)
    return AuditResult.model_construct(
        methods=tuple(_method(str(name)) for name in dataset.method.values),
        conditions=conditions,
        verdicts=tuple(
            AttackVerdict(condition=each.id, verdict=(verdicts or {}).get(each.id, ""), reason="", checks=())
            for each in conditions
            if each.against
        ),
    )


def _condition(name: str, dataset: xr.Dataset, distances: Mapping[str, float]) -> ConditionFacts:
    perturbation, _, strength = name.partition("@")
    perturbation, _, against = perturbation.partition(":")
    entry = PERTURBATIONS[perturbation]
    return ConditionFacts(
        id=name,
        name=perturbation,
        title=entry.title,
        family=entry.family,
        against=against,
        strength=float(Fraction(strength)),
        strength_text=strength,
        draws=int((dataset.perturbation_group == name).sum()),
        largest_change=None,
        largest_distance=distances.get(perturbation),
        unchanged=0,
        n=dataset.sizes["image"],
    )


def _method(name: str) -> MethodFacts:
    return MethodFacts.model_construct(
        name=name, title=ATTRIBUTORS[name].title, is_control=ATTRIBUTORS[name].family == "control"
    )
