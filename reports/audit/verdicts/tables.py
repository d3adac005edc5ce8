"""The verdicts as tables and sentences, for page, summary and terminal."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reports.audit.verdicts.criteria import CLEAN, NOISE, Criterion
from reports.audit.verdicts.decisions import Decision
from reports.audit.verdicts.fields import VerdictFields
from reports.audit.verdicts.judging import CriterionVerdict, MethodVerdict
from reports.audit.verdicts.multiverse import Multiverse
from reports.audit.verdicts.notes import PASSED
from reports.audit.verdicts.reasons import IN_WORDS, reason_in_short
from reports.audit.verdicts.uses import uses_in_words
from reports.cells import Cell, Mark, Table, method_heading
from reports.families import is_control
from reports.formatting import (
    NONE,
    TIGHT,
    condition_in_words,
    counts_in_words,
    enumeration,
    method_title,
    number,
    percent,
    plural,
)

HEADER = (
    "method",
    "verdict",
    "may I use it",
    "criterion that decided",
    "value, 90 % interval",
    "control",
    "settings that agree",
)
MARKS: dict[str, Mark] = {"PASS": "passed", "FAIL": "failed", "WARN": "unreliable", "INCONCLUSIVE": "unreliable"}
FRAGILE = "fragile"
SHAPES = {"PASS": "\N{CHECK MARK}", "WARN": "!", "FAIL": "\N{BALLOT X}", "INCONCLUSIVE": "?"}


def verdict_table(caption: str, verdicts: Iterable[MethodVerdict], result: VerdictFields) -> Table:
    """Return a table with a row for each method."""
    return Table(caption, HEADER, tuple(_row(verdict, result) for verdict in verdicts))


def _row(verdict: MethodVerdict, result: VerdictFields) -> tuple[Cell, ...]:
    deciding, multiverse = verdict.deciding, result.multiverses[verdict.method]
    uses = uses_in_words(verdict, result.criteria)
    criterion, decision = result.criteria[deciding.criterion], deciding.decided_by
    return (
        replace(
            method_heading(verdict.method, result.caveats), group=""
        ),  # the worst come first, whatever their family
        Cell(
            f"{SHAPES[verdict.outcome]}{TIGHT}{verdict.outcome}",
            "\n".join(
                filter(None, (reason_in_short(verdict.reason), verdict.note, FRAGILE if multiverse.is_fragile else ""))
            ),
            MARKS[verdict.outcome],
        ),
        Cell(uses[0], "\n".join(uses[1:])),
        Cell(criterion.sentence, "" if decision.condition == CLEAN else condition_in_words(decision.condition)),
        Cell(value_text(decision, criterion), "\n".join(filter(None, _details(decision, criterion)))),
        _control_cell(verdict, deciding.criterion, result),
        Cell(f"{multiverse.agreeing} of {multiverse.settings}", _fragility(multiverse)),
    )


def _details(decision: Decision, criterion: Criterion) -> tuple[str, ...]:
    return interval_text(decision, criterion), f"n = {_n_of_units(decision)}", count_text(decision)


def _control_cell(verdict: MethodVerdict, number_: int, result: VerdictFields) -> Cell:
    """Return what stands beside a value: under attack the same under noise, else what the controls reach."""
    criterion = result.criteria[number_]
    if criterion.condition not in {CLEAN, NOISE}:
        found = (
            (result.criteria[each.criterion], each.decided_by, "under noise alone")
            for each in verdict.criteria
            if (result.criteria[each.criterion].metric, result.criteria[each.criterion].condition)
            == (criterion.metric, NOISE)
        )
    else:
        found = (
            (criterion, each.decided_by, method_title(other.method))
            for other in result.method_verdicts
            if is_control(other.method) and other.method != verdict.method
            for each in other.criteria
            if each.criterion == number_
        )
    told = [f"{value_text(decision, of)} {what}" for of, decision, what in found if decision.value is not None]
    return Cell("\n".join(told[:1]) or NONE, "\n".join(told[1:]))


def criteria_table(verdicts: Iterable[MethodVerdict], result: VerdictFields) -> Table:
    """Return a table with a row for each method and a column for each criterion."""
    header = ("method", *(criterion.sentence for criterion in result.criteria))
    rows = ((method_heading(each.method, result.caveats), *_outcomes(each, len(result.criteria))) for each in verdicts)
    return Table("The verdict of each criterion on each method", header, tuple(rows))


def _outcomes(verdict: MethodVerdict, count: int) -> Iterator[Cell]:
    by_number = {each.criterion: each.decided_by for each in verdict.criteria}
    for number_ in range(count):
        decision = by_number.get(number_)
        yield (
            Cell(decision.outcome, reason_in_short(decision.reason), MARKS[decision.outcome])
            if decision
            else Cell(NONE)
        )


def undefined_table(verdicts: Iterable[MethodVerdict], result: VerdictFields) -> Table:
    """Return a table of the images that are undefined, with a row for each decision that has some."""
    rows = (
        (
            method_heading(verdict.method, result.caveats),
            Cell(result.criteria[each.criterion].sentence, condition_in_words(decision.condition)),
            Cell(f"{decision.undefined} of {decision.n_asked}"),
            Cell(counts_in_words(decision.undefined_reasons)),
        )
        for verdict in verdicts
        for each in verdict.criteria
        for decision in each.decisions
        if decision.undefined
    )
    caption = (
        "Images whose map, or the map to compare it with, is undefined. A map of the method itself is then a miss; any "
        "other leaves the image out."
    )
    return Table(caption, ("method", "criterion", "images", "reason"), tuple(rows))


def value_text(decision: Decision, criterion: Criterion) -> str:
    """Return the value of a decision, a rate in percent."""
    return _as_text(decision.value, criterion)


def interval_text(decision: Decision, criterion: Criterion) -> str:
    """Return the two one-sided 95 % bounds in brackets; an empty text if there are none."""
    if decision.low is None or decision.high is None:
        return ""
    return f"[{_as_text(decision.low, criterion)}, {_as_text(decision.high, criterion)}]"


def count_text(decision: Decision) -> str:
    """Return how many images are undefined, and how many units would decide."""
    undefined = f"{decision.undefined} undefined" if decision.undefined else ""
    more = f"about {plural(decision.would_decide, decision.unit)} would decide" if decision.would_decide else ""
    return ", ".join(filter(None, (undefined, more)))


def sentence_of(verdict: MethodVerdict, result: VerdictFields) -> str:
    """Return a verdict with its reason and its numbers as a sentence."""
    deciding: CriterionVerdict = verdict.deciding
    criterion, decision = result.criteria[deciding.criterion], deciding.decided_by
    found = f" Measured: {numbers_in_words(decision, criterion)}." if decision.value is not None else ""
    why = f"{verdict.outcome}, {IN_WORDS[verdict.reason]}"
    return f"{result.title_of(verdict.method)}: {why}. Required: {criterion.sentence}.{found}"


def note_sentences(verdicts: Iterable[MethodVerdict], result: VerdictFields) -> Iterator[str]:
    """Yield, for each note on stability and faithfulness, a sentence with its methods and their numbers."""
    noted = [each for each in verdicts if each.note]
    for note in dict.fromkeys(each.note for each in noted):
        told = (_note_in_words(each, result) for each in noted if each.note == note)
        yield f"{note[0].upper()}{note[1:]}: {enumeration(told)}."


def _note_in_words(verdict: MethodVerdict, result: VerdictFields) -> str:
    """Return a method with those of its leads over removal orders that do not pass."""
    decided = [(result.criteria[each.criterion], each.decided_by) for each in verdict.criteria]
    leads = (
        f"{criterion.quantity.title} {numbers_in_words(decision, criterion)}"
        for criterion, decision in decided
        if criterion.quantity.source == "lead" and decision.value is not None and decision.outcome not in PASSED
    )
    return f"{result.title_of(verdict.method)} ({'; '.join(leads)})"


def numbers_in_words(decision: Decision, criterion: Criterion) -> str:
    """Return value, condition, n and the two one-sided 95 % bounds of a decision, which are a 90 % interval."""
    where = f" under {condition_in_words(decision.condition)}" if decision.condition not in ("", CLEAN) else ""
    ends = interval_text(decision, criterion).strip("[]").replace(",", " to", 1)
    interval = f", 90 % interval {ends}" if ends else ""
    return f"{value_text(decision, criterion)}{where}{interval}, n = {_n_of_units(decision)}"


def _n_of_units(decision: Decision) -> str:
    """Return n, with its unit where that is not an image."""
    return str(decision.n) if decision.unit == "image" else plural(decision.n, decision.unit)


def _as_text(value: float | None, criterion: Criterion) -> str:
    return percent(value) if criterion.quantity.kind == "outcome" else number(value)


def _fragility(multiverse: Multiverse) -> str:
    return f"otherwise by {'; '.join(multiverse.turned_by)}" if multiverse.turned_by else ""
