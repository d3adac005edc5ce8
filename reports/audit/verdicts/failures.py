"""The reason why a method fails a criterion, which tells one kind of failing explainer from another."""

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.reasons import Reason
from reports.audit.verdicts.samples import Sample


def failure_reason(criterion: Criterion, sample: Sample, is_attack: bool, is_repeatable: bool) -> Reason:
    """Return the reason of a failure.

    Parameters
    ----------
    is_attack
        Whether the condition is an attack on the explanation.
    is_repeatable
        Whether two maps of one image are more alike than those of two images.
    """
    if 2 * sample.undefined_misses > sample.misses:
        return Reason.UNDEFINED_MAPS
    is_tied = 2 * sample.ties > sample.misses
    if criterion.metric == "own_image":
        return _reason_of_own_image(is_attack, is_repeatable, is_tied)
    if criterion.metric == "own_class":
        return _reason_of_own_class(is_repeatable, is_tied)
    if criterion.metric.startswith("srg_"):
        return Reason.NOT_FAITHFUL
    return Reason.IGNORES_NETWORK if criterion.metric.startswith("weights_") else Reason.BOUND_MISSED


def _reason_of_own_image(is_attack: bool, is_repeatable: bool, is_tied: bool) -> Reason:
    if not is_repeatable:
        return Reason.NOT_REPEATABLE
    if is_tied:
        return Reason.IGNORES_IMAGE
    return Reason.MOVED_BY_ATTACK if is_attack else Reason.MOVED_BY_NOISE


def _reason_of_own_class(is_repeatable: bool, is_tied: bool) -> Reason:
    if is_tied:
        return Reason.IGNORES_CLASS
    return Reason.LOSES_CLASS if is_repeatable else Reason.NOT_REPEATABLE
