"""The answer to "may I use it, and for what": what the criteria of a method that pass and fail are asked for."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from reports.audit.verdicts.criteria import ATTACKS, CLEAN, NOISE, Criterion
from reports.audit.verdicts.decisions import SEVERITY, Outcome
from reports.audit.verdicts.judging import MethodVerdict
from reports.formatting import enumeration

EVIDENCE = "on clean images, to see what the answer rests on"
CLASS = "to see why this class"
PLACES: Mapping[str, str] = MappingProxyType(
    {
        CLEAN: "for what else was asked of clean images",
        NOISE: "on noisy images",
        ATTACKS: "where somebody may change the image",
    }
)
"""Condition of a criterion -> the use that it stands for, unless the criterion is on evidence or class."""
ANSWERS: Mapping[Outcome, str] = MappingProxyType(
    {"FAIL": "No", "INCONCLUSIVE": "Not known", "WARN": "Yes, but many images have no value", "PASS": "Yes"}
)
"""Outcome of a use -> the answer, the worst first, so that nobody reads a Yes before its limits."""
NOT_EVIDENCE = "No: it does not show what the answer rests on, so what else it passes does not count"
UNKNOWN_EVIDENCE = "Not yet: whether it shows what the answer rests on is not known"


def uses_in_words(verdict: MethodVerdict, criteria: Sequence[Criterion]) -> tuple[str, ...]:
    """Return whether a method may be used and for what, in a sentence for each outcome, the worst first.

    A use has the worst outcome of its criteria. A map that does not show what the answer rests on may be used for
    nothing, however stable it is.
    """
    outcomes = _outcomes(verdict, criteria)
    if outcomes.get(EVIDENCE) == "FAIL":
        return (NOT_EVIDENCE,)
    if outcomes.get(EVIDENCE) == "INCONCLUSIVE":
        return (UNKNOWN_EVIDENCE,)
    told = [
        f"{answer}: {enumeration(use for use, found in outcomes.items() if found == outcome)}"
        for outcome, answer in ANSWERS.items()
        if outcome in outcomes.values()
    ]
    return tuple(told) if EVIDENCE in outcomes else (*told, f"Not asked: {EVIDENCE}")


def _outcomes(verdict: MethodVerdict, criteria: Sequence[Criterion]) -> dict[str, Outcome]:
    """Return the worst outcome of each use, that of evidence and class first."""
    found: dict[str, list[Outcome]] = {}
    for each in verdict.criteria:
        found.setdefault(_use(criteria[each.criterion]), []).append(each.decided_by.outcome)
    uses = sorted(found, key=lambda use: (EVIDENCE, CLASS).index(use) if use in (EVIDENCE, CLASS) else 2)
    return {use: max(found[use], key=SEVERITY.index) for use in uses}


def _use(criterion: Criterion) -> str:
    if criterion.quantity.source in ("lead", "re-draws"):
        return EVIDENCE
    if (criterion.metric, criterion.condition) == ("own_class", CLEAN):
        return CLASS
    return PLACES.get(criterion.condition, f"under {criterion.condition}")
