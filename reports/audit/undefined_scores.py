"""The scores without a value, of those that a run asked for."""

from collections.abc import Iterator

from pipeline.plan.schema import REASONS, Reason
from reports.audit.facts import RunFacts, UndefinedScores
from reports.formatting import enumeration, plural

UNASKED = (REASONS[Reason.NO_MASKS], REASONS[Reason.UNSIGNED_METHOD])
"""The reasons of scores that no method can have there."""


def undefined_scores_in_words(result: RunFacts) -> Iterator[str]:
    """Say how many scores have no value, by reason, and name their methods unless all are concerned.

    What was not asked for is left out.
    """
    missing, asked = undefined_scores(result), asked_scores(result)
    for reason in dict.fromkeys(each.reason for each in missing):
        alike = [each for each in missing if each.reason == reason]
        whose = enumeration(f"{result.title_of(each.method)} {each.scores:,}" for each in alike)
        of = f" ({whose})" if len(alike) < len(result.methods) else ""
        count = sum(each.scores for each in alike)
        yield f"{count:,} of {plural(asked, 'score')} {'has' if count == 1 else 'have'} no value: {reason}{of}."


def asked_scores(result: RunFacts) -> int:
    """Return the number of scores that the run asked for: not of masks without masks, or of signs without signs."""
    unasked = sum(each.scores for each in result.completeness.undefined if each.reason in UNASKED)
    return result.completeness.scores - unasked


def undefined_scores(result: RunFacts) -> list[UndefinedScores]:
    """Return how many scores that were asked for have no value, by method and reason."""
    return [each for each in result.completeness.undefined if each.reason not in UNASKED]
