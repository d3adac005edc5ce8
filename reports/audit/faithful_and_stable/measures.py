"""Stability and faithfulness side by side: which methods have both, and whether attacked maps are still faithful."""

from collections.abc import Iterator

import numpy as np

from pipeline.plan.schema import REASONS, Reason
from reports import statistics
from reports.audit.asked_again import quality_values
from reports.audit.calibration import CalibratedStability
from reports.audit.facts import MethodFacts, aims_to_move_maps
from reports.audit.faithful_and_stable.fields import Answer, FaithfulAndStableFields, FaithfulUnderAttack, Tradeoff
from reports.audit.faithfulness.measures import LEAD_UNIT
from reports.audit.image_values import ImageValues
from reports.audit.outcomes import own_image
from reports.audit.qualities import is_floored, srg
from reports.audit.readings import Readings
from reports.audit.reliability import verdicts_of
from reports.statistics import SHARE, Values, bound_above, bound_below, unit

NOT_ATTACKED = "no reliable attack on it"
CHANCE = 0.5
"""The share of maps without meaning that are above a random order."""


def strongest_attacks(result: FaithfulAndStableFields) -> dict[str, CalibratedStability]:
    """Return, for each reliably attacked method, the stability under the attack that moved its maps furthest."""
    verdicts, facts = verdicts_of(result), {each.id: each for each in result.conditions}
    found: dict[str, CalibratedStability] = {}
    for cell in result.calibrated:
        condition = facts[cell.condition]
        is_meant = aims_to_move_maps(condition) and condition.against == cell.method
        if not is_meant or verdicts.get((cell.condition, cell.method)) != "" or cell.similarity is None:
            continue
        known = found.get(cell.method)
        if known is None or known.similarity is None or cell.similarity < known.similarity:
            found[cell.method] = cell
    return found


def tradeoffs(readings: Readings, result: FaithfulAndStableFields) -> Iterator[Tradeoff]:
    """Yield the place of each method; nothing where no pixel was removed."""
    if not readings.qualities.fills:
        return
    attacks = strongest_attacks(result)
    for method in result.methods:
        yield _tradeoff(readings, method, attacks.get(method.name))


def _tradeoff(readings: Readings, method: MethodFacts, attack: CalibratedStability | None) -> Tradeoff:
    gain = quality_values(readings, method.name, "srg").mean(unit("srg"))
    reason = _reason_without_scale(attack)
    return Tradeoff(
        method=method.name,
        is_control=method.is_control,
        srg=gain,
        condition=attack.condition if attack else "",
        stability=attack.estimate if attack else None,
        is_at_floor=bool(attack and attack.is_at_floor),
        reason=reason or (gain.reason if gain.value is None else ""),
    )


def _reason_without_scale(attack: CalibratedStability | None) -> str:
    if attack is None:
        return NOT_ATTACKED
    if attack.estimate.value is None and not attack.is_at_floor:
        return attack.estimate.reason
    return ""


def faithful_under_attack(readings: Readings, result: FaithfulAndStableFields) -> Iterator[FaithfulUnderAttack]:
    """Yield the faithfulness of the attacked maps of each method that is reliably attacked."""
    if not readings.qualities.has_attacked_curves:
        return
    for method, attack in strongest_attacks(result).items():
        yield _under_attack(readings, method, attack.condition)


def _under_attack(readings: Readings, method: str, condition: str) -> FaithfulUnderAttack:
    own, random = (readings.qualities.attacked_curves(condition, method, name) for name in ("attribution", "random"))
    asked = ~np.isnan(random).all((1, 2))
    outcome = own_image(readings, condition, method)
    moved = asked & (outcome.values == 0)
    leads = _attacked_leads(readings, own, random, outcome).among(moved)
    hits = (leads.counted > 0).astype(float)
    low, high = bound_below(hits, "outcome").value, bound_above(hits, "outcome").value
    return FaithfulUnderAttack(
        method=method,
        condition=condition,
        asked=int(asked.sum()),
        moved=int(moved.sum()),
        share=statistics.rate(hits == 1, SHARE, leads.excluded),
        low=low,
        high=high,
        answer=_answer(low, high),
        lead=statistics.mean_by_t(leads.counted, LEAD_UNIT, leads.excluded),
    )


def _attacked_leads(readings: Readings, own: Values, random: Values, outcome: ImageValues) -> ImageValues:
    """Return SRG less that of random order, image by image, where the attacked map and the fill have any to tell."""
    reasons = list(outcome.reasons)
    for code, where in (
        (Reason.UNINFORMATIVE_FILL, is_floored(random)),
        (Reason.NO_ANSWER_CHANGE, np.ptp(own, axis=(1, 2)) == 0),
        (Reason.NOT_FINITE, np.isnan(own).any((1, 2))),
    ):
        for row in np.flatnonzero(where).tolist():
            reasons[row] = reasons[row] or REASONS[code]
    leads = srg(own) - srg(random)
    return ImageValues(np.where([bool(why) for why in reasons], np.nan, leads), tuple(reasons))


def _answer(low: float | None, high: float | None) -> Answer:
    if low is not None and low > CHANCE:
        return "above random order"
    return "below random order" if high is not None and high < CHANCE else "not decided"


def front_of(found: tuple[Tradeoff, ...]) -> list[Tradeoff]:
    """Return the methods that no other equals or exceeds in both means, controls left out, the least faithful first."""
    placed = [(each, each.place) for each in found if not each.is_control]
    points = [(each, place) for each, place in placed if place]
    best = [
        each for each, (x, y) in points
        if not any(other != (x, y) and other[0] >= x and other[1] >= y for _, other in points)
    ]  # fmt: skip
    return sorted(best, key=lambda each: each.place or (0.0, 0.0))
