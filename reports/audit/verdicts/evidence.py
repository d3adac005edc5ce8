"""The evidence that verdicts are made from: the conditions that a criterion means, and samples of their images."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import CLEAN
from reports.audit.facts import EXPLANATION, ConditionFacts, MethodFacts
from reports.audit.readings import Readings
from reports.audit.reliability import AttackVerdict
from reports.audit.verdicts.criteria import ATTACKS, LARGEST, NOISE, Criterion
from reports.audit.verdicts.reasons import Reason
from reports.result import MEASURE, ImageSet


@dataclass(frozen=True)
class Setting:
    """The choices that were made for the verdict, and that the multiverse makes otherwise."""

    similarity: str = MEASURE
    images: ImageSet = "all"
    miss_factor: float = 1.0
    """The factor of the share of images that a rate may miss: 0.9 allows 10 %, with a factor of 0.8 only 8 %."""


BASE = Setting()
"""The setting that decides."""


@dataclass(frozen=True)
class Evidence:
    """The readings of a run, its conditions, and the verdicts on its attacks."""

    readings: Readings
    methods: tuple[MethodFacts, ...]
    conditions: tuple[ConditionFacts, ...]
    attacks: tuple[AttackVerdict, ...]

    def select(self, criterion: Criterion, method: str) -> Sequence[str] | Reason:
        """Return the conditions that a criterion means for a method, or the reason why there is none."""
        if criterion.quantity.waits_for:
            return Reason.NOT_MEASURED
        if criterion.condition == CLEAN:
            return [CLEAN]
        named = [facts for facts in self.conditions if _is_named(facts, criterion.condition)]
        aimed = [facts for facts in named if facts.against in ("", method)]
        if not aimed:
            return Reason.NOT_ATTACKED if criterion.condition == ATTACKS else Reason.NOT_MEASURED
        meant = _of_strength(aimed, criterion.strength)
        reliable = [facts.id for facts in meant if self._is_reliable(facts)]
        return reliable or (Reason.NO_RELIABLE_ATTACK if meant else Reason.NOT_MEASURED)

    def is_attack(self, condition: str) -> bool:
        """Return whether a condition is an attack on explanations."""
        return any(facts.id == condition and facts.family == EXPLANATION for facts in self.conditions)

    def _is_reliable(self, facts: ConditionFacts) -> bool:
        return facts.family != EXPLANATION or self._verdicts.get(facts.id) == ""

    @cached_property
    def _verdicts(self) -> Mapping[str, str]:
        return {each.condition: each.verdict for each in self.attacks}


def names_of_conditions(conditions: Iterable[ConditionFacts]) -> dict[str, set[str]]:
    """Return the strengths that each name of a condition, or of a group of conditions, has in the run."""
    names: dict[str, set[str]] = {CLEAN: set()}
    for facts in conditions:
        for name in (NOISE, ATTACKS, facts.name, facts.id):
            if _is_named(facts, name):
                names.setdefault(name, set()).add(facts.strength_text)
    return names


def _is_named(facts: ConditionFacts, name: str) -> bool:
    if name == NOISE:
        return facts.family == NOISE
    if name == ATTACKS:
        return facts.family == EXPLANATION and not PERTURBATIONS[facts.name].keeps_map
    return name in (facts.name, facts.id)


def _of_strength(conditions: Iterable[ConditionFacts], strength: str) -> list[ConditionFacts]:
    """Return the conditions of a strength, or of each perturbation the one of the largest strength."""
    if strength != LARGEST:
        return [facts for facts in conditions if facts.strength_text == strength]
    largest: dict[str, ConditionFacts] = {}
    for facts in conditions:
        known = largest.setdefault(facts.name, facts)
        if facts.strength > known.strength:
            largest[facts.name] = facts
    return list(largest.values())
