"""The summary: a handful of sentences made from the numbers."""

from collections.abc import Iterator, Sequence

from attacks.registry import PERTURBATIONS
from reports.audit.localisation import Quality
from reports.audit.predictions import Accuracy, PredictionFields
from reports.audit.scale import CLASS_BLIND, ScaleFields, other_class
from reports.audit.searches import NOT_FOUND
from reports.audit.section import Section
from reports.audit.verdicts import Headline, TransferCell, TransferRow, headlines, stronger_transfers
from reports.formatting import enumeration, estimate_in_words, method_title
from reports.result import Estimate

FEW = 2  # kinds of attack that the summary describes in full


class SummaryFields(ScaleFields, PredictionFields):
    """Fields of the result that this section reads."""


def summary(result: SummaryFields) -> tuple[str, ...]:
    """Return a handful of plain sentences. One on missing tasks comes first."""
    sentences = (
        _missing_tasks(result),
        _predictions(result),
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
    worst = min(measured, key=_accuracy)
    if _accuracy(worst) >= _accuracy(clean):
        return f"{sentence}; no perturbation of this run lowers that."
    share = estimate_in_words(worst.accuracy)
    return f"{sentence}, and on {share} under the perturbation that hurts it most, {worst.condition}."


def _attacks(result: SummaryFields) -> Iterator[str]:
    """Describe a few kinds of attack in full, and the most important of many."""
    told = headlines(result)
    for headline in told:
        if PERTURBATIONS[headline.table.attack].keeps_map:
            yield _flips(result, headline)
            continue
        yield _movement(headline)
        if len(told) <= FEW:
            yield _control(headline)
            yield _transfers_beyond(headline)
    if len(told) > FEW:
        yield _doubts(told)


def _flips(result: SummaryFields, headline: Headline) -> str:
    """Say how often a flip of the prediction succeeded, and how much of the map then stayed in place."""
    left = {search.condition: search.values["full"] for search in result.searches}
    rows = (row for row in headline.table.rows if row.role == "attacked method")
    told = [_flip_in_words(row, left[row.condition]) for row in rows if sum(_counts(left[row.condition]))]
    if not told:
        return ""
    return (
        f"{headline.table.title} at {headline.table.strength_text} changes the predicted class, and leaves the clean "
        f"image's map of the class before in place, where it succeeds: {'; '.join(told)}."
    )


def _flip_in_words(row: TransferRow, left: Estimate) -> str:
    cell = next(cell for cell in row.cells if cell.white_box)
    flipped, failed = _counts(left)
    correlation = f", correlation {estimate_in_words(left)}" if flipped else ""
    return f"{method_title(cell.evaluating)} {flipped} of {flipped + failed} images{correlation}{_doubt(cell)}"


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


def _movement(headline: Headline) -> str:
    """Say how far the attack moves the maps of the methods that it attacks."""
    cells = [cell for cell in headline.cells if cell.similarity.value is not None]
    if not cells:
        return ""
    least, most = max(cells, key=_similarity), min(cells, key=_similarity)
    furthest = " the furthest" if len(cells) > 1 else ""
    sentence = (
        f"{headline.table.title} aimed at the method itself, {_size_in_words(headline)}"
        f"{_kept_class_in_words(headline)}, moves the maps of {method_title(most.evaluating)}{furthest}: "
        f"their correlation with the clean maps is {estimate_in_words(most.similarity)}{_doubt(most)}"
        f"{_control_in_words(headline, most)}"
    )
    if least is most:
        return f"{sentence}."
    correlation = f"{estimate_in_words(least.similarity)}{_doubt(least)}"
    return f"{sentence}; those of {method_title(least.evaluating)} the least: {correlation}."


def _size_in_words(headline: Headline) -> str:
    size = headline.table.strength_text
    if PERTURBATIONS[headline.table.attack].norm == "L2":
        return f"moving no image by an L2 distance of more than {size}"
    return f"changing no pixel by more than {size}"


def _kept_class_in_words(headline: Headline) -> str:
    """Return the condition of a kept class. A universal displacement has none: it cannot spare each prediction."""
    return "" if PERTURBATIONS[headline.table.attack].is_universal else " and not changing the predicted class"


def _control_in_words(headline: Headline, attacked: TransferCell) -> str:
    """Return the similarity of the same method under the control of equal size, in words."""
    controls = (cell for row in headline.table.rows if row.role == "control" for cell in row.cells)
    noise = next((cell.similarity for cell in controls if cell.evaluating == attacked.evaluating), None)
    if noise is None or noise.value is None:
        return ""
    return f", and {estimate_in_words(noise)} under a random change of the same size"


def _doubt(cell: TransferCell) -> str:
    return f" ({cell.verdict})" if cell.verdict else ""


def _control(headline: Headline) -> str:
    """Say whether the attack moves maps further than noise of the same size."""
    if all(cell.beyond_control is None for cell in headline.cells):
        attack = headline.attack
        return f"The run has no random change of the same size, so whether {attack} does more than noise is not known."
    judged = [cell for cell in headline.cells if cell.verdict != "attack unchecked"]
    beaten = [method_title(cell.evaluating) for cell in judged if not cell.verdict]
    doubtful = [method_title(cell.evaluating) for cell in judged if cell.verdict]
    if not judged:
        return ""
    against = f"{enumeration(beaten)}, {headline.attack} moves" if beaten else f"no method does {headline.attack} move"
    sentence = f"Against {against} the maps further than a random change of the same size does"
    if not doubtful:
        return f"{sentence}."
    others = enumeration(doubtful)
    return f"{sentence}; against {others} that is not shown, so how far their maps can be moved is not known."


def _transfers_beyond(headline: Headline) -> str:
    methods = {cell.evaluating for cell in headline.cells}
    found = [(row, cell) for row, cell in stronger_transfers(headline.table) if cell.evaluating in methods]
    cases = [
        f"{method_title(cell.evaluating)} {estimate_in_words(cell.similarity)} under the attack on {row.title}"
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
        f"{method_title(name)} {estimate_in_words(e)}"
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
    rows = {row.method: row for row in result.quality if row.metric == "attribution_localisation"}
    measured = {name: row for name, row in rows.items() if row.estimate.value is not None}
    real = [name for name in _methods_with_network(result) if name in measured]
    if not real:
        return ""
    best = max(real, key=lambda name: _value(measured[name]))
    controls = [
        f"{method_title(name)} {estimate_in_words(row.estimate)}" for name, row in measured.items() if name not in real
    ]
    sentence = (
        f"On clean images {method_title(best)} puts the largest share of its positive attribution inside the object "
        f"mask: {estimate_in_words(measured[best].estimate)}"
    )
    return f"{sentence}; for comparison, {enumeration(controls)}." if controls else f"{sentence}."


def _methods_with_network(result: SummaryFields) -> list[str]:
    return [method.name for method in result.methods if method.uses_network]


def _accuracy(row: Accuracy) -> float:
    return row.accuracy.value or 0.0


def _similarity(cell: TransferCell) -> float:
    return cell.similarity.value or 0.0


def _value(row: Quality) -> float:
    return row.estimate.value or 0.0


SUMMARY: Section[SummaryFields] = Section(
    id="summary",
    title="Summary",
    heading="Summary",
    template="summary",
    sentences=lambda result: {"summary": summary(result)},
)
