"""The page of a layer's concepts, rendered from the result alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.audit.facts import ConditionFacts, strongest_conditions
from reports.cells import Cell, Table, estimate_cell
from reports.concepts.crops import CORE, MASS
from reports.concepts.result import Concept, ConceptsResult, ConceptStability, ExplainedClass
from reports.formatting import condition_in_words, estimate_in_words, interval, percent, plural
from reports.page import template_environment

CLASSES = 5


def html(result: ConceptsResult, *, has_report: bool) -> str:
    """Return the page as HTML. It links the report of the run if there is one."""
    return template_environment().get_template("concepts.html.j2").render(
        result=result,
        has_report=has_report,
        summary=list(_summary(result)),
        overview=_overview(result),
        exhibits=[_exhibit(result, concept) for concept in result.concepts],
        whole=_table(result, "All vectors together", result.stability),
        percent=percent,
        plural=plural,
        interval=interval,
        mass=MASS,
        core=CORE,
    )  # fmt: skip


@dataclass(frozen=True)
class ConceptExhibit:
    """A cluster with its classes, stability and table, as the page shows them."""

    concept: Concept
    served: tuple[ExplainedClass, ...]
    stability: tuple[tuple[str, ConceptStability], ...]
    """Title of each perturbation, and the stability under its largest strength."""
    numbers: Table


def _summary(result: ConceptsResult) -> Iterator[str]:
    shares = [concept.share for concept in result.concepts]
    yield (
        f"{plural(result.vectors, 'pointwise feature vector')} of {plural(result.channels, 'channel')}, drawn from "
        f"{plural(result.identity.sizes['image'] - len(result.without), 'image')} in proportion to relevance, in "
        f"{plural(len(shares), 'cluster')} that hold {percent(min(shares))} to {percent(max(shares))} of them each."
    )
    if result.without:
        yield f"{plural(len(result.without), 'image')} without positive relevance at this layer gave none."
    if result.conditions:
        yield _worst_perturbation(result)


def _worst_perturbation(result: ConceptsResult) -> str:
    """Name the perturbation that moves most vectors into other clusters."""
    facts = min(
        strongest_conditions(result.conditions),
        key=lambda facts: _stay_share(_stability_under(result.stability, facts)),
    )
    moved = _stability_under(result.stability, facts)
    return (
        f"{_title(facts)} moves most: the most relevant vector of an image stays in its cluster in "
        f"{estimate_in_words(moved.stays)} of the images, by chance in {percent(moved.chance)}; the vectors of an "
        f"image keep {estimate_in_words(moved.relevance)} of their relevance."
    )


def _overview(result: ConceptsResult) -> Table:
    """Return the table of all clusters under the largest strength of each perturbation."""
    shown = strongest_conditions(result.conditions)
    rows = [("all vectors", "", result.stability)]
    rows += [(f"cluster {each.number}", plural(each.vectors, "vector"), each.stability) for each in result.concepts]
    return Table(
        "Share of the images whose most relevant vector of the cluster stays in it, at the largest strengths",
        ("vectors", *(_title(facts) for facts in shown)),
        tuple(
            (Cell(name, detail), *(_stay_cell(_stability_under(part, facts)) for facts in shown))
            for name, detail, part in rows
        ),
    )


def _exhibit(result: ConceptsResult, concept: Concept) -> ConceptExhibit:
    shown = tuple(
        (_title(facts), _stability_under(concept.stability, facts)) for facts in strongest_conditions(result.conditions)
    )
    numbers = _table(result, f"Stability of cluster {concept.number}", concept.stability)
    return ConceptExhibit(concept, _first_classes(concept.served), shown, numbers)


def _table(result: ConceptsResult, caption: str, stability: Sequence[ConceptStability]) -> Table:
    titles = (_title(facts) for facts in result.conditions)
    rows = (
        (Cell(title), _stay_cell(each), estimate_cell(each.relevance))
        for title, each in zip(titles, stability, strict=True)
    )
    return Table(
        caption, ("perturbation", "images whose vector stays", "relative relevance, 1 = as clean"), tuple(rows)
    )


def _stay_cell(stability: ConceptStability) -> Cell:
    cell = estimate_cell(stability.stays)
    return Cell(cell.text, f"{cell.detail}\nby chance {percent(stability.chance)}")


def _first_classes(served: Sequence[ExplainedClass]) -> tuple[ExplainedClass, ...]:
    """Return the first classes, and all others as a single one."""
    first, others = served[:CLASSES], served[CLASSES:]
    if not others:
        return tuple(first)
    rest = ExplainedClass(
        name=plural(len(others), "other"),
        share=sum(each.share for each in others),
        images=sum(each.images for each in others),
    )
    return (*first, rest)


def _stability_under(stability: Sequence[ConceptStability], facts: ConditionFacts) -> ConceptStability:
    return next(each for each in stability if each.condition == facts.id)


def _stay_share(stability: ConceptStability) -> float:
    return 1.0 if stability.stays.value is None else stability.stays.value


def _title(facts: ConditionFacts) -> str:
    return condition_in_words(facts.id)
