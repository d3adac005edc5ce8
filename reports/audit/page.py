"""The result as a page and as a short summary: what its sections show, in templates."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from jinja2 import Environment

from reports.audit.localisation import chance
from reports.audit.section import Pictures, Section
from reports.audit.sections import SECTIONS, AuditResult
from reports.marks import Picture
from reports.page import environment
from reports.style import drawing


def pictures(result: AuditResult) -> Iterator[Picture]:
    """Draw all figures of the report."""
    with drawing():
        for section in SECTIONS:
            yield from section.figures(result)


def frames(result: AuditResult) -> dict[str, pd.DataFrame]:
    """Return every table of numbers, by the name of its file."""
    return {name: frame for section in SECTIONS for name, frame in section.frames(result).items()}


def html(result: AuditResult, pictures: Iterable[Picture], data: Sequence[str], layers: Sequence[str] = ()) -> str:
    """Return the page; `data` are the files with numbers beside it, `layers` those whose concepts have a page."""
    templates, drawn = environment(), {picture.name: picture for picture in pictures}
    return templates.get_template("audit/page.html.j2").render(
        result=result,
        sections=[(section, _body(templates, section, result, drawn, data)) for section in SECTIONS],
        layers=layers,
    )


def markdown(result: AuditResult) -> str:
    """Return the summary: sentences and the tables that they rest on."""
    return environment().get_template("audit/summary.md.j2").render(
        result=result,
        tables=[table for section in SECTIONS for table in section.headlines(result)],
        chance=chance(result),
    )  # fmt: skip


def _body(
    templates: Environment, section: Section[AuditResult], result: AuditResult, drawn: Pictures, data: Sequence[str]
) -> str:
    template = templates.get_template(f"audit/{section.template}.html.j2")
    return template.render(result=result, data=data, **section.body(result, drawn))
