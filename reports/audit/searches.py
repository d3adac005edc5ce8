"""Whether the attacks on explanations searched well enough for what they did not find to mean anything."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from reports import statistics
from reports.audit.facts import ConditionFacts
from reports.audit.readings import Readings
from reports.cells import Cell, Table
from reports.formatting import interval, number, value
from reports.result import Estimate, Part

Values = NDArray[np.float64]
Evidence = Mapping[str, Values]

UNIT = "what the attack increases"
VALUES = tuple(name for name in EVIDENCE if name not in {"gain_first", "gain_last", "gradient_error"})
CONTROLS = {"random_point": "random noise", "random_step": "a random step", "pgd": "PGD on the prediction"}
LEAST_FALLEN = 0.75  # of the images
LARGEST_ERROR = 0.01  # of a gradient that agrees with finite differences
LEAST_SHARE = 0.9  # of the images on which it has to: a step across a kink of the network is no error
NOT_TRIED = "not tried, or not computed"
NOT_FOUND = "no image was found that the attack may keep"


class Check(Part):
    """One sign that a search was a good one, or not."""

    name: str
    passed: bool | None
    """None where it could not be told; `detail` then says why."""
    detail: str


class Searched(Part):
    """How one attack on an explanation searched."""

    condition: str
    values: dict[str, Estimate]
    """Means over images of what the attack increases: at the clean image, after parts of the search, at controls."""
    checks: tuple[Check, ...]


def searches(readings: Readings, conditions: Iterable[ConditionFacts]) -> tuple[Searched, ...]:
    """Return how each attack on explanations searched, by method and strength."""
    attacks = [facts for facts in conditions if facts.against]
    found = {facts.id: readings.evidence(facts.id) for facts in attacks}
    return tuple(
        Searched(
            condition=facts.id,
            values={name: _mean(found[facts.id][name]) for name in VALUES},
            checks=tuple(_checks(facts, attacks, found)),
        )
        for facts in attacks
    )


def table(searched: Sequence[Searched], evidence: Iterable[str]) -> Table:
    """Return how the attacks on explanations searched: what they gained, beside controls, and whether to rely on it."""
    names = list(evidence)
    rows = (
        (
            Cell(each.condition),
            _checked(each),
            *(Cell(value(each.values[name]), interval(each.values[name])) for name in names if name in each.values),
        )
        for each in searched
    )
    shown = [name for name in names if searched and name in searched[0].values]
    caption = (
        "How the attacks searched: means over images of what each attack increases, with 95 % intervals, at the clean "
        "image, after parts of the search, and at changes of equal size that did not search; and what speaks against "
        "the search."
    )
    return Table(caption, ("entry", "checks", *(name.replace("_", " ") for name in shown)), tuple(rows))


def _checked(search: Searched) -> Cell:
    failed = [check.name for check in search.checks if check.passed is False]
    told = sum(check.passed is not None for check in search.checks)
    if failed:
        return Cell("attack unreliable", f"not: {'; '.join(failed)}", "unreliable")
    return Cell(f"{told} of {told} passed", "", "passed")


def _checks(facts: ConditionFacts, attacks: Sequence[ConditionFacts], found: Mapping[str, Evidence]) -> Iterator[Check]:
    own, entry = found[facts.id], PERTURBATIONS[facts.name]
    yield _fell(_gained(own["gain_first"], own["gain_last"]))
    yield _above("stronger with more steps", _gained(own["quarter"], own["full"]))
    for control, name in CONTROLS.items():
        if control != "pgd" or not entry.is_universal:  # one displacement for all images is no match for one for each
            yield _above(f"beats {name} of equal size", _gained(own[control], own["full"]))
    yield _gradient(own["gradient_error"], entry.needs_gradient)
    yield from _larger(facts, attacks, found)
    if PERTURBATIONS[facts.name].clean_where_it_fails:
        yield _succeeds(own["full"])


def _larger(facts: ConditionFacts, attacks: Sequence[ConditionFacts], found: Mapping[str, Evidence]) -> Iterator[Check]:
    """Against the next smaller strength of the same attack on the same method."""
    alike = (f for f in attacks if (f.name, f.against) == (facts.name, facts.against) and f.strength < facts.strength)
    smaller = max(alike, key=lambda f: f.strength, default=None)
    if smaller is not None:
        gained = _gained(found[smaller.id]["full"], found[facts.id]["full"])
        yield _judged(f"at least as strong as at {smaller.strength_text}", gained, lambda low, high: high >= 0)


def _gained(before: Values, after: Values) -> Values:
    """Infinite where nothing was found of before or after."""
    found = np.isfinite(before) & np.isfinite(after)
    gained: Values = np.where(np.isnan(before) | np.isnan(after), np.nan, np.inf)
    gained[found] = after[found] - before[found]
    return gained


def _fell(gained: Values) -> Check:
    """On most images: the price of a changed prediction may outweigh, at a single step, what all others gained."""
    told = gained[np.isfinite(gained)]
    if not len(told):
        return Check(name="loss falls", passed=None, detail=NOT_TRIED)
    fell = int((told > 0).sum())
    detail = f"on {fell} of {len(told)} images"
    return Check(name="loss falls", passed=fell >= LEAST_FALLEN * len(told), detail=detail)


def _above(name: str, gained: Values) -> Check:
    return _judged(name, gained, lambda low, high: low > 0)


def _succeeds(full: Values) -> Check:
    """Comparisons say nothing of an attack that found nothing."""
    name, told = "succeeds on an image", full[~np.isnan(full)]
    if not len(told):
        return Check(name=name, passed=None, detail=_mean(full).reason)
    succeeded = int(np.isfinite(told).sum())
    return Check(name=name, passed=succeeded > 0, detail=f"on {succeeded} of {len(told)} images")


def _judged(name: str, gained: Values, passes: Callable[[float, float], bool]) -> Check:
    """By the ends of the interval of a mean gain; by the mean, where all are equal. A few images decide nothing."""
    gain = _mean(gained)
    if gain.value is None:
        return Check(name=name, passed=None, detail=gain.reason)
    detail = f"mean gain {number(gain.value)} {interval(gain)}, n = {gain.n}"
    if gain.n < statistics.LEAST_N:
        return Check(name=name, passed=None, detail=detail)
    low, high = (gain.value if end is None else end for end in (gain.low, gain.high))
    return Check(name=name, passed=passes(low, high), detail=detail)


def _gradient(errors: Values, needs_gradient: bool) -> Check:
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
    finite = np.isfinite(values)
    excluded = {NOT_TRIED: int(np.isnan(values).sum()), NOT_FOUND: int(np.isinf(values).sum())}
    return statistics.mean(values[finite], UNIT, {why: count for why, count in excluded.items() if count})
