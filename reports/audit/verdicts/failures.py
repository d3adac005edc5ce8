"""The reason why a method fails a criterion, which tells one kind of failing explainer from another."""

from reports.audit.facts import EXPLANATION, PREDICTION
from reports.audit.verdicts.criteria import NOISE, Criterion
from reports.audit.verdicts.reasons import Reason
from reports.audit.verdicts.samples import Sample

_OF_COMPARISONS = {"own_image": Reason.IGNORES_IMAGE, "own_class": Reason.IGNORES_CLASS}
"""Outcome -> the reason of ties of what it compares."""
_OF_FAMILIES = {
    NOISE: Reason.MOVED_BY_NOISE,
    PREDICTION: Reason.MOVED_BY_ATTACK,
    EXPLANATION: Reason.MOVED_BY_ATTACK,
}
"""Family of a condition -> the reason why maps became those of another image."""


def failure_reason(criterion: Criterion, sample: Sample, family: str, is_repeatable: bool) -> Reason:
    """Return the reason of a failure.

    Parameters
    ----------
    family
        The family of the condition.
    is_repeatable
        Whether two maps of one image are more alike than those of two images.
    """
    misses = int((sample.values == criterion.worst).sum())
    if 2 * sample.undefined_misses > misses:
        return Reason.UNDEFINED_MAPS
    if criterion.metric in _OF_COMPARISONS and criterion.is_lower:
        is_tied = 2 * sample.ties > misses
        return _reason_of_comparison(criterion.metric, family, is_tied, is_repeatable)
    return criterion.quantity.failure


def _reason_of_comparison(metric: str, family: str, is_tied: bool, is_repeatable: bool) -> Reason:
    """Return why maps are not closer to their own map than to the other: a tie is told first, whatever is drawn."""
    if is_tied:
        return _OF_COMPARISONS[metric]
    if not is_repeatable:
        return Reason.NOT_REPEATABLE
    return Reason.LOSES_CLASS if metric == "own_class" else _OF_FAMILIES.get(family, Reason.BOUND_MISSED)
