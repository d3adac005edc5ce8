"""The evidence that verdicts are made from: the conditions that a criterion means, and samples of their images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.plan.conditions import CLEAN
from pipeline.spec.measure import DECIDING_FILL
from reports.audit import outcomes
from reports.audit.facts import EXPLANATION, ConditionFacts, MethodFacts, aims_to_move_maps
from reports.audit.image_values import ImageValues
from reports.audit.readings import Readings
from reports.audit.reliability import NO_CONTROL, AttackVerdict, control_of
from reports.audit.verdicts.again import is_measured, sample_again, values_again
from reports.audit.verdicts.criteria import ATTACKS, LARGEST, NOISE, Criterion
from reports.audit.verdicts.reasons import Reason
from reports.audit.verdicts.samples import Sample
from reports.result import MEASURE, ImageSet
from reports.statistics import Values, bound_below

OUTCOMES: Mapping[str, Callable[[Readings, str, str, str], ImageValues]] = MappingProxyType(
    {
        "own_image": outcomes.own_image,
        "own_class": outcomes.own_class,
        "kept_under_flip": outcomes.kept_under_flip,
        "target_gain": outcomes.target_gain,
    }
)
"""Outcomes that need no other condition, by name."""
COMPARED = MappingProxyType({"own_image": "target_similarity", "own_class": "other_class_similarity"})
"""Outcome -> the stored similarity to the other map."""


@dataclass(frozen=True)
class Setting:
    """The choices that were made for the verdict, and that the multiverse makes otherwise."""

    similarity: str = MEASURE
    images: ImageSet = "all"
    miss_factor: float = 1.0
    """The factor of the share of images that a rate may miss: 0.9 allows 10 %, with a factor of 0.8 only 8 %."""
    fill: str = DECIDING_FILL
    """The fill of removed pixels."""

    def meant_by(self, criterion: Criterion) -> "Setting":
        """Return the setting with the choices alone that a criterion depends on; the others are as in BASE."""
        source = criterion.quantity.source
        return Setting(
            self.similarity if source in ("outcome", "re-draws") else BASE.similarity,
            BASE.images if criterion.quantity.is_of_clean_maps else self.images,
            self.miss_factor if criterion.quantity.kind == "outcome" else BASE.miss_factor,
            self.fill if source == "lead" else BASE.fill,
        )


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
        if criterion.quantity.is_of_clean_maps and not is_measured(self.readings.qualities, criterion.quantity):
            return Reason.NOT_MEASURED
        if criterion.condition == CLEAN:
            return [CLEAN]
        named = [facts for facts in self.conditions if _is_named(facts, criterion.condition)]
        aimed = [facts for facts in named if facts.against in ("", method)]
        if not aimed:
            return Reason.NOT_ATTACKED if named or criterion.condition == ATTACKS else Reason.NOT_MEASURED
        meant = _of_strength(aimed, criterion.strength)
        reliable = [facts.id for facts in meant if self._is_reliable(facts)]
        return reliable or (Reason.NO_RELIABLE_ATTACK if meant else Reason.NOT_MEASURED)

    def sample(self, criterion: Criterion, condition: str, method: str, setting: Setting) -> Sample:
        """Return the values of a criterion over the images of a setting; of several draws, a rate has the worst.

        How many misses a setting allows does not change them.
        """
        key = criterion, condition, method, replace(setting.meant_by(criterion), miss_factor=BASE.miss_factor)
        if key not in self._samples:
            self._samples[key] = self._sample(criterion, condition, method, setting)
        return self._samples[key]

    def values_by_image(self, criterion: Criterion, condition: str, method: str) -> Values:
        """Return the values that decide, one for each image of the store, NaN where it has none.

        Of re-drawn weights it is one for each re-draw.
        """
        if criterion.quantity.source == "outcome":
            return self._values(criterion, condition, method, BASE.similarity).values
        if criterion.quantity.is_of_clean_maps:
            return values_again(self.readings, criterion.quantity, method)
        scores = self.readings.scores(condition, method, criterion.metric)
        return _worst_draw(scores, criterion) if criterion.quantity.kind == "outcome" else scores

    @cached_property
    def _samples(self) -> dict[tuple[Criterion, str, str, Setting], Sample]:
        return {}

    def _sample(self, criterion: Criterion, condition: str, method: str, setting: Setting) -> Sample:
        if criterion.quantity.source == "outcome":
            return self._outcome_sample(criterion, condition, method, setting)
        if criterion.quantity.is_of_clean_maps:
            return sample_again(self.readings, criterion.quantity, method, setting.similarity, setting.fill)
        scores = self.readings.defined_scores(condition, method, criterion.metric, setting.images)
        if criterion.quantity.kind == "outcome":
            return Sample(_worst_draw(scores.values, criterion), scores.excluded)
        return Sample(scores.values, scores.excluded)

    def _outcome_sample(self, criterion: Criterion, condition: str, method: str, setting: Setting) -> Sample:
        values = self._values(criterion, condition, method, setting.similarity)
        values = values.among(self.readings.images(condition, setting.images))
        undefined: dict[str, int] = {}
        if criterion.quantity.kind == "outcome":
            undefined = values.misses if criterion.is_lower else values.granted
        return Sample(
            values.counted,
            values.excluded,
            undefined=undefined,
            ties=self._ties(criterion.metric, condition, method, setting),
        )

    def _values(self, criterion: Criterion, condition: str, method: str, similarity: str) -> ImageValues:
        if criterion.quantity.kind != "outcome":
            return self._outcome(criterion.metric, condition, method, similarity)
        draws = [self._outcome(criterion.metric, draw, method, similarity) for draw in self.readings.draws[condition]]
        return outcomes.in_all_draws(draws) if criterion.is_lower else outcomes.in_any_draw(draws)

    def _outcome(self, outcome: str, condition: str, method: str, similarity: str) -> ImageValues:
        if outcome == "beyond_control":
            return self._beyond_control(condition, method, similarity)
        return OUTCOMES[outcome](self.readings, condition, method, similarity)

    def _beyond_control(self, condition: str, method: str, similarity: str) -> ImageValues:
        facts = next(each for each in self.conditions if each.id == condition)
        control = control_of(facts, self.conditions)
        if control is None:
            n = len(self.readings.image_ids)
            return ImageValues(np.full(n, np.nan), (NO_CONTROL,) * n)
        return outcomes.beyond_control(self.readings, condition, control, method, similarity)

    def _ties(self, outcome: str, condition: str, method: str, setting: Setting) -> int:
        """Return how many images of the setting tie in any draw: both maps are equally like the perturbed one."""
        if outcome not in COMPARED:
            return 0
        draws = self.readings.draws[condition]
        is_tied = np.any([self._is_tied(outcome, draw, method, setting.similarity) for draw in draws], axis=0)
        return int(is_tied[self.readings.images(condition, setting.images)].sum())

    def _is_tied(self, outcome: str, draw: str, method: str, similarity: str) -> NDArray[np.bool_]:
        own = outcomes.own_scores(self.readings, draw, method, similarity)
        other = self.readings.comparison_scores(COMPARED[outcome], draw, method, similarity)
        return np.asarray(np.abs(own - other) <= outcomes.TIE)

    def is_repeatable(self, method: str) -> bool:
        """Return whether two maps of one image are more alike than those of two images.

        Without randomness they are; with fewer than 8 images this is not doubted.
        """
        if not any(facts.name == method and facts.stochastic for facts in self.methods):
            return True
        repeat, floor = (self.readings.reference_scores(method, name, MEASURE) for name in ("repeat", "other_image"))
        lead = (repeat - floor)[~np.isnan(repeat - floor)]
        bound = bound_below(lead, "difference").value
        return bound is None or bound > 0

    def family_of(self, condition: str) -> str:
        """Return the family of a condition, `clean` for the clean images."""
        return next((facts.family for facts in self.conditions if facts.id == condition), CLEAN)

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


def _worst_draw(shares: Values, criterion: Criterion) -> Values:
    """Return the outcome of each image in its worst draw, given the share of the draws that are 1."""
    return np.asarray(np.floor(shares) if criterion.is_lower else np.ceil(shares))


def _is_named(facts: ConditionFacts, name: str) -> bool:
    if name == NOISE:
        return facts.family == NOISE
    if name == ATTACKS:
        return aims_to_move_maps(facts)
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
