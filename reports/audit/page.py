"""The page and the short summary of a result, rendered by templates from what its sections give."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd
from jinja2 import Environment

from reports.audit.localisation import chance_in_words
from reports.audit.section import Pictures, Section
from reports.audit.sections import SECTIONS, AuditResult
from reports.audit.summary import LEAD
from reports.audit.verdicts.decisions import SEVERITY
from reports.audit.verdicts.tables import MARKS, SHAPES
from reports.cells import Table
from reports.formatting import Caveats, enumeration, plural
from reports.glossary import add_glossary
from reports.page import markdown_environment, template_environment
from reports.plot_primitives import Picture
from reports.style import figure_style

LONGEST = 60_000
"""The most bytes of the summary: a comment of GitHub holds 65536 characters."""


def pictures(result: AuditResult, advance: Callable[[], object] = int) -> Iterator[Picture]:
    """Draw all figures of the report. `advance` is called before those of each section."""
    with figure_style():
        for section in SECTIONS:
            advance()
            yield from section.figures(result)


def frames(result: AuditResult) -> dict[str, pd.DataFrame]:
    """Return every frame of numbers, by the name of its file. Rows of methods have a column with their caveats."""
    found = {name: frame for section in SECTIONS for name, frame in section.frames(result).items()}
    return {name: _add_caveats(frame, result.caveats) for name, frame in found.items()}


def html(result: AuditResult, pictures: Iterable[Picture], data: Sequence[str], layers: Sequence[str] = ()) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    data
        Files with numbers beside the page.
    layers
        Layers whose concepts have a page.
    """
    templates, drawn = template_environment(), {picture.name: picture for picture in pictures}
    page = templates.get_template("audit/page.html.j2").render(
        result=result,
        sections=[(section, _body(templates, section, result, drawn, data)) for section in SECTIONS],
        layers=layers,
        verdict=_badge(result),
    )
    return add_glossary(page)


def _badge(result: AuditResult) -> dict[str, str] | None:
    """Return shape, word and mark of the verdict, and whose it is; None if there is no verdict."""
    verdict = result.audit_verdict
    if verdict is None:
        return None
    counts = Counter(each.outcome for each in result.method_verdicts if each.method in verdict.methods)
    each = enumeration(f"{counts[name]} {name}" for name in reversed(SEVERITY) if counts[name])
    words = (
        f"Of {plural(len(verdict.methods), 'method')}: {each}. The worst decides; a method passes only if it may be "
        "used for all that was asked."
    )
    outcome = verdict.outcome
    return {"shape": SHAPES[outcome], "outcome": outcome, "mark": MARKS[outcome], "words": words}


def markdown(result: AuditResult) -> str:
    """Return the summary as Markdown: the verdict, findings, and tables, of which the last are left out if too long."""
    tables = [table for section in SECTIONS for table in section.summary_tables(result)]
    texts = (_markdown(result, tables, shown) for shown in range(len(tables), 0, -1))
    return next((text for text in texts if len(text.encode()) <= LONGEST), _markdown(result, tables, 0))


def _markdown(result: AuditResult, tables: Sequence[Table], shown: int) -> str:
    return markdown_environment().get_template("audit/summary.md.j2").render(
        result=result,
        verdict=_badge(result),
        lead=LEAD,
        first=tables[: min(1, shown)],
        tables=tables[1:shown],
        left_out=len(tables) - shown,
        chance=chance_in_words(result),
    )  # fmt: skip


def _add_caveats(frame: pd.DataFrame, caveats: Caveats) -> pd.DataFrame:
    """Return the frame with the caveat of the method whose numbers a row holds, where rows hold those of methods."""
    methods = [column for column in ("method", "evaluating") if column in frame]
    return frame.assign(caveat=[caveats.get(name, "") for name in frame[methods[0]]]) if methods else frame


def _body(
    templates: Environment, section: Section[AuditResult], result: AuditResult, drawn: Pictures, data: Sequence[str]
) -> str:
    template = templates.get_template(f"audit/{section.template}.html.j2")
    return template.render(result=result, data=data, **section.body(result, drawn))
