"""The verdict on each attack on an explanation. It is decided here alone; tables, captions and sentences quote it."""

from collections.abc import Iterable

import numpy as np

from attacks.registry import PERTURBATIONS
from reports.audit.estimates import difference
from reports.audit.facts import ConditionFacts, RunFacts
from reports.audit.readings import Readings
from reports.audit.searches import Check, SearchQuality, interval_check
from reports.result import MEASURE, Estimate, ImageSet, ResultModel, Verdict

CONTROLS = {"L-inf": "random_sign", "L2": "random_direction"}
"""Norm -> perturbation without aim, the control of equal size."""
LEAD = "moves the map further than a random change of equal size"
NO_CONTROL = "no random change of this size in the run to compare with"


class AttackVerdict(ResultModel):
    """The verdict on the attack on one method, by correlation over all images."""

    condition: str
    verdict: Verdict
    reason: str
    """Empty if the attack is reliable."""
    checks: tuple[Check, ...]
    """Checks of the search, and, for attacks that aim to move the map, of the lead over the random change."""

    @property
    def counts_in_words(self) -> str:
        """Return how many of the checks that could be decided were passed."""
        decided = [check.passed for check in self.checks if check.passed is not None]
        return f"{sum(decided)} of {len(decided)} checks passed"


class ReliabilityFields(RunFacts):
    """Fields of the result that hold the verdicts."""

    verdicts: tuple[AttackVerdict, ...]


def verdicts_of(result: ReliabilityFields) -> dict[tuple[str, str], Verdict]:
    """Return (condition, method) -> verdict on the attack on the explanations of the method."""
    attacked = {facts.id: facts.against for facts in result.conditions}
    return {(each.condition, attacked[each.condition]): each.verdict for each in result.verdicts}


def judge_attacks(
    readings: Readings, conditions: Iterable[ConditionFacts], searches: Iterable[SearchQuality]
) -> tuple[AttackVerdict, ...]:
    """Return the verdict on each attack on an explanation, in the order of the searches."""
    facts = {each.id: each for each in conditions}
    return tuple(
        judge_attack(search.condition, (*search.checks, *_lead_checks(readings, facts[search.condition], facts)))
        for search in searches
    )


def judge_attack(condition: str, checks: tuple[Check, ...]) -> AttackVerdict:
    """Judge an attack by its checks.

    One failed check makes it unreliable, whatever it moved. Where its lead over the random change could not be
    decided, it is unchecked.
    """
    failed = [f"{check.name}: no, {check.detail}" for check in checks if check.passed is False]
    open_leads = [check.detail for check in checks if check.name == LEAD and check.passed is None]
    verdict: Verdict = "attack unreliable" if failed else "attack unchecked" if open_leads else ""
    return AttackVerdict(condition=condition, verdict=verdict, reason="; ".join(failed or open_leads), checks=checks)


def lead_check(lead: Estimate | None) -> Check:
    """Check the lead over the random change, paired by image: the whole interval must be above 0."""
    if lead is None:
        return Check(name=LEAD, passed=None, detail=NO_CONTROL)
    return interval_check(LEAD, "mean lead", lead, lambda low, high: low > 0)


def lead_over_control(
    readings: Readings,
    facts: ConditionFacts,
    conditions: Iterable[ConditionFacts],
    similarity: str = MEASURE,
    images: ImageSet = "all",
) -> Estimate | None:
    """Return how much further an attack moves the map of its method than the control, if the run has the control."""
    control = control_of(facts, conditions)
    if control is None:
        return None
    return difference(readings, (control, facts.against), (facts.id, facts.against), similarity, images)


def is_control(facts: ConditionFacts) -> bool:
    """Return whether a condition is a change without aim."""
    return facts.name in CONTROLS.values()


def is_of_equal_size(first: ConditionFacts, facts: ConditionFacts) -> bool:
    """Return whether both conditions have the same radius in the same norm, however it is written."""
    return _norm(first) == _norm(facts) and bool(np.isclose(first.strength, facts.strength, rtol=1e-6, atol=0))


def control_of(facts: ConditionFacts, conditions: Iterable[ConditionFacts]) -> str | None:
    """Return the condition of the control of equal size, if it is in the run."""
    return next((each.id for each in conditions if is_control(each) and is_of_equal_size(facts, each)), None)


def _lead_checks(readings: Readings, facts: ConditionFacts, conditions: dict[str, ConditionFacts]) -> tuple[Check, ...]:
    if PERTURBATIONS[facts.name].keeps_map:
        return ()
    return (lead_check(lead_over_control(readings, facts, conditions.values())),)


def _norm(facts: ConditionFacts) -> str:
    return PERTURBATIONS[facts.name].norm or ""
