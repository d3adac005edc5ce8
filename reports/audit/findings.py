"""Findings: what was found of which methods, by which number, what that means for who leans on them, what to do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reports.audit.faithful_and_stable.fields import Answer, FaithfulAndStableFields
from reports.audit.section import Section
from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import SEVERITY, Decision, Outcome
from reports.audit.verdicts.fields import VerdictFields
from reports.audit.verdicts.judging import MethodVerdict
from reports.audit.verdicts.reasons import Reason, precedence
from reports.audit.verdicts.tables import MARKS, SHAPES, numbers_in_words
from reports.families import is_control
from reports.formatting import enumeration, estimate_in_words, plural
from reports.result import ResultModel

MORE = "Audit more images; behind each number stands how many would decide if the values stay as they are."
OTHER = "Use a method that passes this check."
ADVICE: Mapping[Reason, tuple[str, str, str]] = MappingProxyType(
    {
        Reason.UNDEFINED_MAPS: (
            "maps are constant or not finite",
            "Where a map is empty, nothing is explained and nothing can be checked.",
            "Show such images as “no explanation”, not as a blank map.",
        ),
        Reason.IGNORES_IMAGE: (
            "the map does not depend on the image",
            "The map of another image would look the same: it explains nothing of this one.",
            OTHER,
        ),
        Reason.NOT_REPEATABLE: (
            "two maps of one image are no more alike than those of two images",
            "Two maps of one image differ as much as those of two images: who looks at one sees chance.",
            "Give the method more samples until two maps agree, or use another.",
        ),
        Reason.IGNORES_NETWORK: (
            "the map stays when the network's weights are drawn anew",
            "It shows the picture rather than what was learnt, and would convince as much for an untrained network.",
            f"Do not argue with it what the network looks at. {OTHER}",
        ),
        Reason.IGNORES_CLASS: (
            "the map does not depend on the class",
            "It does not say why this class and not another.",
            f"Do not justify a class with it. {OTHER}",
        ),
        Reason.NOT_FAITHFUL: (
            "removing first the pixels that the map ranks highest matters no more to the answer than an order that "
            "never saw the network",
            "The pixels that it marks matter no more to the answer than pixels chosen without the network.",
            "Do not read it as what the answer rests on; see the curves under Faithfulness.",
        ),
        Reason.MOVED_BY_NOISE: (
            "noise moves the maps too far",
            "A random change of the image gives another explanation.",
            "Do not lean on single maps; average them over noise and audit that, or use a method that passes.",
        ),
        Reason.MOVED_BY_ATTACK: (
            "an attack moves the maps too far",
            "Somebody who may change the image a little can turn the explanation into that of another image.",
            "Do not lean on it where images come from somebody with an interest in the explanation.",
        ),
        Reason.LOSES_CLASS: (
            "maps are not reliably nearer to those of their own class than to those of another",
            "Under this change its map cannot be told from that of another class.",
            "Do not compare classes with it on images like these.",
        ),
        Reason.BOUND_MISSED: (
            "a bound is missed",
            "What was asked for is not met.",
            "Read why the criterion was set, under Verdicts, and whether your use needs it.",
        ),
        Reason.NOT_ATTACKED: (
            "no attack of the run was aimed at the method",
            "How far somebody could move its maps on purpose is not known.",
            "Add an attack on it to the spec, if it has a gradient; until then lean on it only where nobody attacks.",
        ),
        Reason.NO_RELIABLE_ATTACK: (
            "no attack on the method passed its own checks",
            "How far somebody could move its maps on purpose is not known; nothing here speaks for the method.",
            "Read under Transfer which check failed. More steps may mend it; where noise of the same size moves the "
            "maps as far as the attack does, noise alone already does the harm.",
        ),
        Reason.UNDECIDED: (
            "the images do not decide whether a bound is met",
            "Neither trust nor distrust follows from these numbers.",
            MORE,
        ),
        Reason.TOO_FEW_IMAGES: (
            "there are too few images, or re-draws of the weights, for a decision",
            "Nothing can be said yet.",
            MORE,
        ),
        Reason.NO_SPREAD: (
            "too many values are equal for an interval",
            "Equal values give no interval, so the bound is neither met nor missed.",
            MORE,
        ),
        Reason.NOT_MEASURED: (
            "the run has no value",
            "Nothing can be said.",
            "Let the spec measure it, or leave the criterion out; see Not measured.",
        ),
        Reason.OFTEN_UNDEFINED: (
            "many images have no value",
            "The bound is met, but only by the images that have a value.",
            "Find the images without a value, and why, under Faithfulness and in the CSV files; then judge the rest.",
        ),
    }
)
"""Reason -> what was found, what it means for who leans on the method, and what to do."""


MOVED: Mapping[Answer, str] = MappingProxyType(
    {
        "above random order": "the moved maps still tell more of the answer on the attacked image than random order "
        "does, so the network seems to have moved with them",
        "below random order": "the moved maps tell less of the answer on the attacked image than random order does: "
        "they mislead",
    }
)
"""What the removal of pixels from attacked images says of the maps that an attack moved."""


class Finding(ResultModel):
    """A finding on some methods."""

    outcome: Outcome
    what: str
    numbers: tuple[str, ...]
    """For each method and criterion: value, interval and n beside the bound."""
    so_what: str
    what_to_do: str


class FindingFields(FaithfulAndStableFields, VerdictFields):
    """Fields that this section adds to the result."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Case:
    """A decision that is no pass."""

    verdict: MethodVerdict
    criterion: Criterion
    decision: Decision


def findings(result: FindingFields) -> tuple[Finding, ...]:
    """Return the findings, the worst first; last what passes."""
    real = [each for each in result.method_verdicts if not is_control(each.method)]
    groups: dict[tuple[Outcome, Reason], list[_Case]] = {}
    for case in _cases(real, result):
        groups.setdefault((case.decision.outcome, case.decision.reason), []).append(case)
    ordered = sorted(groups, key=lambda key: (-SEVERITY.index(key[0]), precedence(key[1])))
    return (
        *(_finding(*key, groups[key], result) for key in ordered),
        *_passes(real, result),
        *_passing_controls(result),
    )


def _cases(verdicts: Sequence[MethodVerdict], result: FindingFields) -> Iterator[_Case]:
    for verdict in verdicts:
        for each in verdict.criteria:
            if each.decided_by.outcome != "PASS":
                yield _Case(verdict, result.criteria[each.criterion], each.decided_by)


def _finding(outcome: Outcome, reason: Reason, cases: Sequence[_Case], result: FindingFields) -> Finding:
    whose = enumeration(dict.fromkeys(result.title_of(case.verdict.method) for case in cases))
    what, so_what, what_to_do = ADVICE[reason]
    return Finding(
        outcome=outcome,
        what=f"{whose}: {what}.",
        numbers=(*(_number(case, result) for case in cases), *_moved_maps(reason, cases, result)),
        so_what=so_what,
        what_to_do=what_to_do,
    )


def _number(case: _Case, result: FindingFields) -> str:
    decision = case.decision
    told = "no value" if decision.value is None else numbers_in_words(decision, case.criterion)
    unit = "image" if decision.unit == "image" else decision.unit
    lost = f"; {decision.undefined} of {decision.n_asked} undefined" if decision.undefined else ""
    more = f"; about {plural(decision.would_decide, unit)} would decide" if decision.would_decide else ""
    return f"{result.title_of(case.verdict.method)}: {told}{lost}{more}. Required: {case.criterion.sentence}"


def _moved_maps(reason: Reason, cases: Sequence[_Case], result: FindingFields) -> Iterator[str]:
    """Yield what the moved maps of attacked methods say of the network, where it was asked and decided."""
    methods = {case.verdict.method for case in cases if reason == Reason.MOVED_BY_ATTACK}
    for each in result.faithful_under_attack:
        if each.method in methods and each.answer in MOVED:
            share = estimate_in_words(each.share)
            yield f"{result.title_of(each.method)}: {MOVED[each.answer]} ({share} of the moved maps)"


def _passes(verdicts: Sequence[MethodVerdict], result: FindingFields) -> Iterator[Finding]:
    passed = [each for each in verdicts if each.outcome == "PASS"]
    if passed:
        yield Finding(
            outcome="PASS",
            what=f"{enumeration(result.title_of(each.method) for each in passed)}: every criterion is met.",
            numbers=(),
            so_what="Nothing in this audit speaks against leaning on these maps, for images and attacks like these.",
            what_to_do="Read what was not measured before you use them elsewhere.",
        )


def _passing_controls(result: FindingFields) -> Iterator[Finding]:
    passed = [each for each in result.method_verdicts if is_control(each.method) and each.outcome == "PASS"]
    if passed:
        yield Finding(
            outcome="WARN",
            what=f"{enumeration(result.title_of(each.method) for each in passed)}: a control meets every criterion.",
            numbers=(),
            so_what="Controls know nothing of the network: criteria that they meet do not tell a good explanation.",
            what_to_do="Do not rely on any PASS of this audit; audit with the default criteria.",
        )


FINDINGS: Section[FindingFields] = Section(
    id="findings",
    title="Findings",
    heading="Findings, and what to do",
    template="findings",
    body=lambda result, _: {"shapes": SHAPES, "marks": MARKS},
    sentences=lambda result: {"findings": findings(result)},
)
