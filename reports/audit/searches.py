"""The checks on the searches of attacks on explanations. A failed attack means something only if it searched well."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from reports import statistics
from reports.audit.facts import ConditionFacts
from reports.audit.readings import Readings
from reports.formatting import signed_interval, signed_value
from reports.result import Estimate, ResultModel
from reports.statistics import Values

Evidence = Mapping[str, Values]

UNIT = "what the attack increases"
VALUES = tuple(name for name in EVIDENCE if name not in {"gain_first", "gain_last", "gradient_error"})
CONTROLS = {"random_point": "random noise", "random_step": "a random step", "pgd": "PGD on the prediction"}
LEAST_FALLEN = 0.75  # share of the images
LARGEST_ERROR = 0.01  # relative error of a gradient that agrees with finite differences
LEAST_SHARE = 0.9  # share of the images on which it must agree: a step across a kink of the network is no error
NOT_TRIED = "not tried, or not computed"
NOT_FOUND = "no image was found that the attack may keep"


class Check(ResultModel):
    """A check of the quality of a search."""

    name: str
    passed: bool | None
    """None where it could not be decided; `detail` then says why."""
    detail: str


class SearchQuality(ResultModel):
    """The search of one attack on an explanation: its values and checks."""

    condition: str
    values: dict[str, Estimate]
    """Means over images of what the attack increases: at the clean image, after parts of the search, at controls."""
    checks: tuple[Check, ...]


def searches(readings: Readings, conditions: Iterable[ConditionFacts]) -> tuple[SearchQuality, ...]:
    """Return the search quality of each attack on explanations, by method and strength."""
    attacks = [facts for facts in conditions if facts.against]
    found = {facts.id: readings.evidence(facts.id) for facts in attacks}
    return tuple(
        SearchQuality(
            condition=facts.id,
            values={name: _mean(found[facts.id][name]) for name in VALUES},
            checks=tuple(_checks(facts, attacks, found)),
        )
        for facts in attacks
    )


def interval_check(name: str, what: str, gain: Estimate, passes: Callable[[float, float], bool]) -> Check:
    """Check the interval of a mean gain, or the mean where all gains are equal. A few images decide nothing.

    Parameters
    ----------
    what
        The gain in words.
    """
    if gain.value is None:
        return Check(name=name, passed=None, detail=gain.reason)
    detail = f"{what} {signed_value(gain)} {signed_interval(gain)}, n = {gain.n}"
    if gain.n < statistics.LEAST_N:
        return Check(name=name, passed=None, detail=detail)
    low, high = (gain.value if end is None else end for end in (gain.low, gain.high))
    return Check(name=name, passed=passes(low, high), detail=detail)


def _checks(facts: ConditionFacts, attacks: Sequence[ConditionFacts], found: Mapping[str, Evidence]) -> Iterator[Check]:
    own, entry = found[facts.id], PERTURBATIONS[facts.name]
    yield _loss_check(_gains(own["gain_first"], own["gain_last"]))
    yield _gain_check("stronger with more steps", _gains(own["quarter"], own["full"]))
    for control, name in CONTROLS.items():
        if (
            control != "pgd" or not entry.is_universal
        ):  # PGD has a displacement for each image: one for all cannot beat it
            yield _gain_check(f"beats {name} of equal size", _gains(own[control], own["full"]))
    yield _gradient_check(own["gradient_error"], entry.needs_gradient)
    yield from _strength_checks(facts, attacks, found)
    if PERTURBATIONS[facts.name].clean_where_it_fails:
        yield _success_check(own["full"])


def _strength_checks(
    facts: ConditionFacts, attacks: Sequence[ConditionFacts], found: Mapping[str, Evidence]
) -> Iterator[Check]:
    """Compare the attack with its next smaller strength on the same method, if there is one."""
    alike = (f for f in attacks if (f.name, f.against) == (facts.name, facts.against) and f.strength < facts.strength)
    smaller = max(alike, key=lambda f: f.strength, default=None)
    if smaller is not None:
        gained = _gains(found[smaller.id]["full"], found[facts.id]["full"])
        name = f"at least as strong as at {smaller.strength_text}"
        yield interval_check(name, "mean gain", _mean_gain(gained), lambda low, high: high >= 0)


def _gains(before: Values, after: Values) -> Values:
    """Return the gain of each image. It is infinite where `before` or `after` found nothing."""
    found = np.isfinite(before) & np.isfinite(after)
    gained: Values = np.where(np.isnan(before) | np.isnan(after), np.nan, np.inf)
    gained[found] = after[found] - before[found]
    return gained


def _loss_check(gained: Values) -> Check:
    """Check that the loss falls on most images.

    On a single image the price of a changed prediction may outweigh all other steps.
    """
    told = gained[np.isfinite(gained)]
    if not len(told):
        return Check(name="loss falls", passed=None, detail=NOT_TRIED)
    fell = int((told > 0).sum())
    detail = f"on {fell} of {len(told)} images"
    return Check(name="loss falls", passed=fell >= LEAST_FALLEN * len(told), detail=detail)


def _gain_check(name: str, gained: Values) -> Check:
    return interval_check(name, "mean gain", _mean_gain(gained), lambda low, high: low > 0)


def _success_check(full: Values) -> Check:
    """Check that the attack found an image at all. Other checks say nothing about one that found none."""
    name, told = "succeeds on an image", full[~np.isnan(full)]
    if not len(told):
        return Check(name=name, passed=None, detail=_mean(full).reason)
    succeeded = int(np.isfinite(told).sum())
    return Check(name=name, passed=succeeded > 0, detail=f"on {succeeded} of {len(told)} images")


def _gradient_check(errors: Values, needs_gradient: bool) -> Check:
    name = "gradient agrees with finite differences"
    if not needs_gradient:
        return Check(name=name, passed=None, detail="it uses none")
    told = errors[~np.isnan(errors)]
    if not len(told):
        return Check(name=name, passed=None, detail=_mean(errors).reason)
    agree = int((told <= LARGEST_ERROR).sum())
    detail = f"within {LARGEST_ERROR:.0%} on {agree} of {len(told)} images"
    return Check(name=name, passed=agree >= LEAST_SHARE * len(told), detail=detail)


def _mean(values: Values) -> Estimate:
    return statistics.mean(values[np.isfinite(values)], UNIT, _absences(values))


def _mean_gain(gained: Values) -> Estimate:
    """Return the mean of differences that are paired by image, with its t interval."""
    return statistics.mean_by_t(gained[np.isfinite(gained)], UNIT, _absences(gained))


def _absences(values: Values) -> dict[str, int]:
    counts = {NOT_TRIED: int(np.isnan(values).sum()), NOT_FOUND: int(np.isinf(values).sum())}
    return {why: count for why, count in counts.items() if count}
