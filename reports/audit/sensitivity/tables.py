"""The tables of the section on sensitivity."""

from collections.abc import Iterator, Mapping

from reports.audit.coupling import Coupling
from reports.audit.facts import ConditionFacts
from reports.audit.sensitivity.fields import MethodSensitivity, SensitivityFields
from reports.audit.sensitivity.measures import CORE, FOUND
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.formatting import NONE, condition_in_words, plural

HEADINGS = {
    "max_sensitivity": "largest change",
    "avg_sensitivity": "mean change",
    "lipschitz_random": "change per unit of the input",
}

MEASURES = {
    **HEADINGS,
    FOUND: "the steepest change",
    "ris": "stability relative to the input",
    "ros": "stability relative to the logits",
    "rrs": "stability relative to the features",
}
"""Measure -> its name in a sentence."""


def sensitivity_tables(result: SensitivityFields) -> Iterator[Table]:
    """Yield a table for each random change: numbers of two do not compare."""
    measured = dict.fromkeys(each.condition for each in result.sensitivities if each.name in CORE)
    facts = {each.id: each for each in result.conditions}
    return (_random_table(result, facts[condition]) for condition in measured)


def _random_table(result: SensitivityFields, facts: ConditionFacts) -> Table:
    found = {(each.method, each.name): each for each in result.sensitivities if each.condition == facts.id}
    rows = (
        (method_heading(each.name, result.caveats), *(_cell(found[each.name, name]) for name in CORE))
        for each in result.methods
    )
    title = facts.heading if facts.draws > 1 else f"{facts.heading} (1 draw)"
    return Table(f"{title}: lower is better.", ("method", *HEADINGS.values()), tuple(rows))


def _cell(each: MethodSensitivity) -> Cell:
    """Return the estimate with the number of draws that were left out, where any was."""
    cell, count = estimate_cell(each.estimate), sum(each.draws_left_out.values())
    left_out = f"{plural(count, 'draw')} left out" if count else ""
    return Cell(cell.text, "\n".join(filter(None, (cell.detail, left_out))))


def found_table(result: SensitivityFields) -> Table:
    """Return the table of the steepest change that any condition found for each method."""
    rows = (
        (
            method_heading(each.method, result.caveats),
            _cell(each),
            Cell(
                condition_in_words(each.found_under) or NONE,
                f"on {plural(each.found_on, 'image')}" if each.found_on else "",
            ),
        )
        for each in result.sensitivities
        if each.name == FOUND
    )
    caption = (
        "The steepest change found under any condition, attacks included, geometric changes not: a lower bound of the "
        "worst case, lower is better."
    )
    return Table(caption, ("method", HEADINGS["lipschitz_random"], "most often found under"), tuple(rows))


def coupling_table(result: SensitivityFields) -> Table:
    """Return the table of couplings, two columns for each condition."""
    found = {(each.condition, each.method): each for each in result.couplings}
    conditions = list(dict.fromkeys(each.condition for each in result.couplings))
    header = (
        "method",
        *(f"{condition_in_words(name)}{what}" for name in conditions for what in ("", ", less that of edges")),
    )
    rows = (
        (
            method_heading(name, result.caveats),
            *(cell for condition in conditions for cell in _coupling_cells(found, condition, name)),
        )
        for name in dict.fromkeys(each.method for each in result.couplings)
    )
    caption = (
        "Exploratory: do maps move where the answer does? Spearman correlation over images; no direction is better."
    )
    return Table(caption, header, tuple(rows))


def _coupling_cells(found: Mapping[tuple[str, str], Coupling], condition: str, method: str) -> tuple[Cell, Cell]:
    each = found[condition, method]
    beyond = estimate_cell(each.beyond_edges) if each.beyond_edges else Cell(NONE)
    return estimate_cell(each.correlation), beyond
