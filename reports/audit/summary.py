"""The summary: a handful of sentences made from the numbers."""

from collections.abc import Iterator, Mapping, Sequence

from attacks.registry import PERTURBATIONS
from reports.audit import ranking_words as words
from reports.audit.calibration import Ranking
from reports.audit.headline import headline_frame, headline_picture
from reports.audit.localisation import LOCALISED, methods_by_localisation
from reports.audit.maps import Case, MapFields
from reports.audit.predictions import Accuracy, PredictionFields
from reports.audit.scale import CLASS_BLIND, ScaleFields, other_class
from reports.audit.searches import NOT_FOUND
from reports.audit.section import Pictures, Section
from reports.audit.transfer_tables import Headline, TransferCell, TransferRow, headlines, stronger_transfers
from reports.audit.verdicts.fields import VerdictFields
from reports.audit.verdicts.judging import MethodVerdict
from reports.audit.verdicts.multiverse import FRAGILE
from reports.audit.verdicts.reasons import Reason
from reports.audit.verdicts.section import verdict_sentences, verdict_tables
from reports.formatting import condition_in_words, enumeration, estimate_in_words, method_title
from reports.result import MEASURE, Estimate

LEAD = 3  # sentences at the top
FEW = 2  # kinds of attack that the summary describes in full


class SummaryFields(MapFields, ScaleFields, PredictionFields, VerdictFields):
    """Fields of the result that this section reads."""


def summary(result: SummaryFields) -> tuple[str, ...]:
    """Return a handful of plain sentences. The verdict comes first, behind one on missing tasks."""
    sentences = (
        _missing_tasks(result),
        *verdict_sentences(result),
        _predictions(result),
        _unaimed_conditions(result),
        *_attacks(result),
        _class_blind_methods(result),
        _localisation(result),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _missing_tasks(result: SummaryFields) -> str:
    if result.completeness.is_complete:
        return ""
    stages = enumeration(f"{s.planned - s.done} of {s.planned} in {s.stage}" for s in result.completeness.stages)
    failed = len(result.completeness.failures)
    causes = f" {failed} failed whenever they were tried: the causes are given below." if failed else ""
    return f"This run is incomplete: tasks are missing ({stages}); what they would have measured is left out.{causes}"


def _predictions(result: SummaryFields) -> str:
    clean, *others = result.accuracy
    if clean.accuracy.value is None:
        return ""
    sentence = f"The network names the right class on {estimate_in_words(clean.accuracy)} of the clean images"
    measured = [row for row in others if row.accuracy.value is not None]
    if not measured:
        return f"{sentence}."
    least = min(_accuracy(row) for row in measured)
    if least >= _accuracy(clean):
        return f"{sentence}; no perturbation of this run lowers that."
    lowest = [row for row in measured if _accuracy(row) == least]
    share = estimate_in_words(lowest[0].accuracy)
    where = enumeration(condition_in_words(row.condition) for row in lowest)
    return f"{sentence}, and on {share} under {where}, the lowest share here."


def _attacks(result: SummaryFields) -> Iterator[str]:
    """Describe a few kinds of attack in full, and the most important of many."""
    told = headlines(result)
    for headline in told:
        if PERTURBATIONS[headline.table.attack].keeps_map:
            yield _flips(result, headline)
            continue
        yield _movement(result, headline)
        if len(told) <= FEW:
            yield _reliability(headline)
            yield _transfers_beyond(result, headline)
    if len(told) > FEW:
        yield _doubts(told)


def _flips(result: SummaryFields, headline: Headline) -> str:
    """Say how often a flip of the prediction succeeded, and how much of the map then stayed in place."""
    left = {search.condition: search.values["full"] for search in result.searches}
    rows = (row for row in headline.table.rows if row.role == "attacked method")
    told = [_flip_in_words(result, row, left[row.condition]) for row in rows if sum(_counts(left[row.condition]))]
    if not told:
        return ""
    return (
        f"{headline.table.title} at {headline.table.strength_text} changes the predicted class, and leaves the clean "
        f"image's map of the class before in place, where it succeeds: {'; '.join(told)}."
    )


def _flip_in_words(result: SummaryFields, row: TransferRow, left: Estimate) -> str:
    cell = next(cell for cell in row.cells if cell.white_box)
    flipped, failed = _counts(left)
    correlation = f", correlation {estimate_in_words(left)}" if flipped else ""
    return f"{result.title_of(cell.evaluating)} {flipped} of {flipped + failed} images{correlation}{_doubt(cell)}"


def _counts(left: Estimate) -> tuple[int, int]:
    """Count the images whose prediction a flip changed, and those whose prediction it did not change."""
    return left.n, left.excluded.get(NOT_FOUND, 0)


def _doubts(told: Sequence[Headline]) -> str:
    doubtful = [(headline, cell) for headline in told for cell in headline.cells if cell.verdict]
    count = sum(len(headline.cells) for headline in told)
    if not doubtful:
        movers = "those that aim to move maps move them further than random changes of the same size do"
        return f"All {count} attacks pass their checks, and {movers}."
    whose = enumeration(f"{headline.attack} of {method_title(cell.evaluating)}" for headline, cell in doubtful)
    return (
        f"Of {count} attacks {len(doubtful)} are in doubt, so what they did not move says nothing about the method: "
        f"{whose}."
    )


def _unaimed_conditions(result: SummaryFields) -> str:
    """Say what moves maps the furthest where nothing attacks."""
    return next((words.unaimed_in_words(result, each) for each in result.rankings if not each.attack), "")


def _movement(result: SummaryFields, headline: Headline) -> str:
    """Say how far the attack moves the maps of the methods that it attacks, on their own scale."""
    if all(cell.similarity.value is None for cell in headline.cells):
        return ""
    size = headline.table.attack, headline.table.strength_text
    ranking = next(each for each in result.rankings if (each.attack, each.strength_text) == size)
    if _is_in_doubt_alone(ranking, headline):
        return ""  # the sentence on what is in doubt says all of it
    return (
        f"{headline.table.title} aimed at the method itself, {_size_in_words(headline)}"
        f"{_kept_class_in_words(headline)}, {words.attack_in_words(result, ranking, _control_of(headline))}"
    )


def _is_in_doubt_alone(ranking: Ranking, headline: Headline) -> bool:
    """Return whether nothing is ranked, for no other reason than doubts about the attack."""
    doubts = {cell.verdict for cell in headline.cells if cell.verdict}
    return not ranking.ranked and all(each.reason in doubts and not each.is_at_floor for each in ranking.unranked)


def _control_of(headline: Headline) -> str:
    """Return the condition of the random change of equal size, or nothing."""
    return next((row.condition for row in headline.table.rows if row.role == "control"), "")


def _size_in_words(headline: Headline) -> str:
    size = headline.table.strength_text
    if PERTURBATIONS[headline.table.attack].norm == "L2":
        return f"moving no image by an L2 distance of more than {size}"
    return f"changing no pixel by more than {size}"


def _kept_class_in_words(headline: Headline) -> str:
    """Return the condition of a kept class. A universal displacement has none: it cannot spare each prediction."""
    return "" if PERTURBATIONS[headline.table.attack].is_universal else " and not changing the predicted class"


def _doubt(cell: TransferCell) -> str:
    return f" ({cell.verdict})" if cell.verdict else ""


def _reliability(headline: Headline) -> str:
    """Quote the verdicts on the attack."""
    if all(cell.verdict == "attack unchecked" for cell in headline.cells):
        return f"Whether {headline.attack} does more than noise is not known: {headline.cells[0].reason}."
    reliable = [method_title(cell.evaluating) for cell in headline.cells if not cell.verdict]
    doubtful = [f"{method_title(cell.evaluating)} ({cell.verdict})" for cell in headline.cells if cell.verdict]
    against = f"Against {enumeration(reliable)}" if reliable else "Against no method"
    verb, subject = ("", f"{headline.attack} passes") if reliable else ("does ", f"{headline.attack} pass")
    sentence = (
        f"{against} {verb}{subject} its checks, of which one is that it moves the maps further than a random change "
        "of the same size does"
    )
    if not doubtful:
        return f"{sentence}."
    return (
        f"{sentence}; against {enumeration(doubtful)} it is in doubt, so how far these maps can be moved is not known."
    )


def _transfers_beyond(result: SummaryFields, headline: Headline) -> str:
    methods = {cell.evaluating for cell in headline.cells}
    found = [(row, cell) for row, cell in stronger_transfers(headline.table) if cell.evaluating in methods]
    cases = [
        f"{result.title_of(cell.evaluating)} {estimate_in_words(cell.similarity)} under the attack on {row.title}"
        for row, cell in found
    ]
    if not cases:
        return ""
    return (
        f"Aimed at another method, {headline.attack} moves some maps further than aimed at the method itself: "
        f"{enumeration(cases)}. The attack on the method is then not its worst case."
    )


def _class_blind_methods(result: SummaryFields) -> str:
    others = {name: other_class(result, name) for name in _methods_with_network(result)}
    blind = [
        f"{result.title_of(name)} {estimate_in_words(e)}"
        for name, e in others.items()
        if e and (e.value or 0) >= CLASS_BLIND
    ]
    if not blind:
        return ""
    return (
        f"The maps of {enumeration(blind)} change little when another class is explained on the same image "
        "(correlation of the two maps): their stability must not be taken for reliability."
    )


def _localisation(result: SummaryFields) -> str:
    ranked = methods_by_localisation(result.quality)
    if not ranked:
        return ""
    leads = result.localisation_leads
    undecided = [result.title_of(lead.over) for lead in leads if (lead.difference.low or 0) <= 0]
    if len(undecided) == len(leads):
        share = "a share"
    else:
        share = "one of the largest shares" if undecided else "the largest share"
    apart = f", from which {words.that_of(undecided)} cannot be told apart" if undecided else ""
    names = {each.method for each in ranked}
    controls = [
        f"{result.title_of(row.method)} {estimate_in_words(row.estimate)}"
        for row in result.quality
        if row.metric == LOCALISED and row.method not in names and row.estimate.value is not None
    ]
    beside = f"; for comparison, {enumeration(controls)}" if controls else ""
    return (
        f"On clean images {result.title_of(ranked[0].method)} puts {share} of its positive attribution inside the "
        f"object mask: {estimate_in_words(ranked[0].estimate)}{apart}{beside}."
    )


def _methods_with_network(result: SummaryFields) -> list[str]:
    return [method.name for method in result.methods if method.uses_network]


def _accuracy(row: Accuracy) -> float:
    return row.accuracy.value or 0.0


def worst_case(result: SummaryFields) -> Case | None:
    """Return the case whose map moved furthest, by a reliable attack on the worst method that one moves too far.

    If none is moved too far, of the worst method that has such an attack.
    """
    doubted = {each.condition for each in result.verdicts if each.verdict}
    order = result.audit_verdict.worst if result.audit_verdict else ()
    places = {method: place for place, method in enumerate(order)}
    moved = {each.method for each in result.method_verdicts if _is_moved(each)}
    reliable = [each for each in result.cases if each.rank == "worst" and each.condition not in doubted]

    def rank(case: Case) -> tuple[bool, int, float]:
        method = case.clean.method
        return method not in moved, places.get(method, len(places)), _likeness(case)

    return min(reliable, key=rank, default=None)


def _is_moved(verdict: MethodVerdict) -> bool:
    return any(each.decided_by.reason == Reason.MOVED_BY_ATTACK for each in verdict.criteria)


def _likeness(case: Case) -> float:
    value = case.similarities.get(MEASURE)
    return 1.0 if value is None else value


def _body(result: SummaryFields, drawn: Pictures) -> Mapping[str, object]:
    tables = verdict_tables(result)
    return {
        "lead": result.summary[:LEAD],
        "more": result.summary[LEAD:],
        "verdict_table": tables[:1] if result.audit_verdict else (),
        "control_tables": tables[1:] if result.audit_verdict else tables,
        "headline": drawn.get("headline"),
        "worst": worst_case(result),
        "fragile_below": FRAGILE,
    }


SUMMARY: Section[SummaryFields] = Section(
    id="summary",
    title="Summary",
    heading="In short",
    template="summary",
    body=_body,
    sentences=lambda result: {"summary": summary(result)},
    frames=lambda result: {"headline": headline_frame(result)},
    figures=headline_picture,
    summary_tables=verdict_tables,
)
