"""The result's numbers as tables, and what is to be said beside them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.cells import Cell, Table, measured, method_heading
from reports.facts import ConditionFacts, strongest
from reports.headlines import MEASURE, judged
from reports.result import AuditResult, Estimate, Images, Quality, Reference, Searched, Stability, Transfer
from reports.wording import NONE, images_in_words, interval, listed, method_title, value
from srd.registry import METRICS

ByMethod = Mapping[tuple[str, str], Estimate]
"""(entry of the perturbation axis, or reference; method) -> estimate."""


@dataclass(frozen=True)
class Column:
    """A perturbation at the largest strength that each method met."""

    heading: str
    strength: float
    entries: Mapping[str, ConditionFacts]
    """By method; an attack on explanations has an entry for each attacked method."""


def accuracy(result: AuditResult) -> Table:
    """Right and kept predictions."""
    rows = ((Cell(each.condition), measured(each.accuracy), measured(each.kept)) for each in result.accuracy)
    caption = "Predictions: share of images with the right class, and with the class of the clean image (95 % Wilson)."
    return Table(caption, ("entry", "right class", "class of the clean image"), tuple(rows))


def scale(result: AuditResult) -> Table:
    """Stability at the largest strength of each perturbation, beside the method's reference similarities."""
    columns, references = _columns(result), list(result.reference_meanings)
    header = (*(column.heading for column in columns), *(f"clean map, {name.replace('_', ' ')}" for name in references))
    means, verdicts = _means(result, MEASURE, "all"), _verdicts(result)
    scales = {(each.reference, each.method): each.estimate for each in result.references if each.similarity == MEASURE}
    rows = (
        (
            method_heading(each.name),
            *(_under(column, each.name, means, verdicts) for column in columns),
            *(measured(scales[name, each.name]) for name in references),
        )
        for each in result.methods
    )
    caption = (
        "Stability on its own scale: correlation of clean and perturbed maps at the largest strength of each "
        "perturbation (any other is named in its cell), all images, beside the correlation of the clean map with other "
        "maps."
    )
    return Table(caption, ("method", *header), tuple(rows))


def stability(result: AuditResult, similarity: str, images: Images) -> Table:
    """Every method x every perturbation and strength, for one similarity and set of images."""
    sizes = dict.fromkeys((facts.name, facts.strength) for facts in result.conditions)
    columns = [
        _column([facts for facts in result.conditions if (facts.name, facts.strength) == size], _methods(result))
        for size in sizes
    ]
    means = _means(result, similarity, images)
    rows = (
        (method_heading(name), *(_under(column, name, means, {}) for column in columns)) for name in _methods(result)
    )
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)} (95 % intervals)."
    return Table(caption, ("method", *(column.heading for column in columns)), tuple(rows))


def transfer(table: Transfer) -> Table:
    """Evaluating method x attacked method."""
    kinds = (row.title if row.role == "attacked method" else f"{row.title} ({row.role})" for row in table.rows)
    caption = (
        f"{table.title} at {table.strength_text}: {METRICS[table.similarity].title} of clean and perturbed maps, "
        f"{images_in_words(table.images)}. Columns: what was attacked; rows: whose maps are compared."
    )
    rows = (
        (
            method_heading(cells[0].evaluating),
            *(measured(cell.similarity, "white-box" if cell.white_box else "", cell.verdict) for cell in cells),
        )
        for cells in zip(*(row.cells for row in table.rows), strict=True)
    )
    return Table(caption, ("evaluating method", *kinds), tuple(rows))


def doubts(table: Transfer) -> Iterator[str]:
    """Why an attack of the table is in doubt, one sentence each."""
    for row in table.rows:
        for cell in row.cells:
            if cell.verdict:
                yield f"{row.title}: {cell.verdict}; {cell.reason}."


def searches(result: AuditResult) -> Table:
    """How the attacks on explanations searched: what they gained, beside controls, and whether to rely on it."""
    names = list(result.evidence)
    rows = (
        (
            Cell(each.condition),
            _checked(each),
            *(Cell(value(each.values[name]), interval(each.values[name])) for name in names if name in each.values),
        )
        for each in result.searches
    )
    shown = [name for name in names if result.searches and name in result.searches[0].values]
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


def quality(result: AuditResult) -> Table:
    """Localisation and sparseness of the clean maps."""
    metrics = list(dict.fromkeys(each.metric for each in result.quality))
    found = {(each.method, each.metric): each.estimate for each in result.quality}
    rows = (
        (
            method_heading(each.name),
            *(measured(found[each.name, metric]) for metric in metrics),
        )
        for each in result.methods
    )
    header = ("method", *(METRICS[metric].title for metric in metrics))
    return Table("Clean maps: localisation and sparseness (95 % intervals).", header, tuple(rows))


def notes(result: AuditResult) -> list[tuple[str, str]]:
    """Notes on methods, those of several methods once."""
    distinct = dict.fromkeys(result.notes.values())
    return [(listed(method_title(name) for name, n in result.notes.items() if n == note), note) for note in distinct]


def excluded(result: AuditResult) -> Iterable[str]:
    """What was left out of any mean, by reason."""
    rows: tuple[Stability | Quality | Reference, ...] = (*result.stability, *result.quality, *result.references)
    reasons = sorted({why for row in rows for why in row.estimate.excluded})
    return [f"Images left out of a mean are counted beside it. Why: {'; '.join(reasons)}."] if reasons else []


def _columns(result: AuditResult) -> list[Column]:
    hardest = strongest(result.conditions)
    names = dict.fromkeys(facts.name for facts in hardest)
    return [_column([facts for facts in hardest if facts.name == name], _methods(result)) for name in names]


def _column(entries: Sequence[ConditionFacts], methods: Iterable[str]) -> Column:
    largest = max(entries, key=lambda facts: facts.strength)
    title = largest.heading
    if largest.against:
        return Column(f"{title}, method itself", largest.strength, {facts.against: facts for facts in entries})
    return Column(title, largest.strength, dict.fromkeys(methods, largest))


def _under(column: Column, method: str, means: ByMethod, verdicts: Mapping[tuple[str, str], str]) -> Cell:
    """The method's maps under its entry of the column; the strength is named where it is not the column's."""
    facts = column.entries.get(method)
    if facts is None:
        return Cell(NONE, "not attacked")
    strength = facts.strength_text if facts.strength != column.strength else ""
    return measured(means[facts.id, method], verdict=verdicts.get((facts.id, method), ""), strength=strength)


def _means(result: AuditResult, similarity: str, images: Images) -> ByMethod:
    chosen = (each for each in result.stability if each.similarity == similarity and each.images == images)
    return {(each.condition, each.method): each.estimate for each in chosen}


def _verdicts(result: AuditResult) -> dict[tuple[str, str], str]:
    """Of the attacks on explanations, by entry and method, as the correlation of all images judges them."""
    rows = (row for table in judged(result) for row in table.rows)
    return {(row.condition, cell.evaluating): cell.verdict for row in rows for cell in row.cells}


def _methods(result: AuditResult) -> list[str]:
    return [method.name for method in result.methods]
