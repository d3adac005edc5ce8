"""The page and the short summary of a result, rendered by templates from what its sections give."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from jinja2 import Environment

from reports.audit.localisation import chance_in_words
from reports.audit.section import Pictures, Section
from reports.audit.sections import SECTIONS, AuditResult
from reports.formatting import Caveats
from reports.page import markdown_environment, template_environment
from reports.plot_primitives import Picture
from reports.style import figure_style


def pictures(result: AuditResult) -> Iterator[Picture]:
    """Draw all figures of the report."""
    with figure_style():
        for section in SECTIONS:
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
    return templates.get_template("audit/page.html.j2").render(
        result=result,
        sections=[(section, _body(templates, section, result, drawn, data)) for section in SECTIONS],
        layers=layers,
    )


def markdown(result: AuditResult) -> str:
    """Return the summary as Markdown: sentences, and the tables with their numbers."""
    return markdown_environment().get_template("audit/summary.md.j2").render(
        result=result,
        tables=[table for section in SECTIONS for table in section.summary_tables(result)],
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
