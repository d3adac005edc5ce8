"""The environment of the templates of all pages, and the style sheet."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reports import pixels
from reports.cells import Cell, Table
from reports.formatting import method_title, plural
from reports.plot_primitives import Picture
from srd.registry import METRICS

STYLE = "style.css"
ACTIVE = re.compile(r"[\\<|]|(?<=\])[(:\[]")
"""The characters of Markdown that begin HTML, a cell of a table, or, behind a bracket, the target of a link."""


@dataclass(frozen=True)
class Exhibit:
    """A picture, where there is one, with the tables of its numbers, and remarks below them."""

    picture: Picture | None
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()
    fold: str = ""
    """The line that tables without a picture are folded under; empty if they stand open."""


def fold_tables(title: str, tables: Sequence[Table]) -> tuple[Exhibit, ...]:
    """Fold tables into an exhibit under a title and their number; none without tables."""
    line = f"{title} ({plural(len(tables), 'table')})"
    return (Exhibit(None, tuple(tables), fold=line),) if tables else ()


def style_sheet() -> str:
    """Return the style sheet."""
    return (files("reports") / "templates" / STYLE).read_text(encoding="utf-8")


def template_environment() -> Environment:
    """Return the environment that renders the templates, with its filters."""
    templates = Environment(
        loader=PackageLoader("reports"),
        autoescape=select_autoescape(("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["markdown_cell"] = _markdown_cell
    templates.filters["method"] = method_title
    templates.filters["plural"] = plural
    templates.filters["short"] = lambda name: name.rpartition("/")[2]
    templates.filters["metric"] = lambda name: METRICS[name].title
    templates.globals["usual_rule"] = pixels.USUAL_RULE
    return templates


def markdown_environment() -> Environment:
    """Return the environment of Markdown. No text that is filled in becomes HTML, a link, or a part of a table."""
    return template_environment().overlay(finalize=_escape_markdown)


def _escape_markdown(value: object) -> object:
    return ACTIVE.sub(r"\\\g<0>", " ".join(value.splitlines())) if isinstance(value, str) else value


def _markdown_cell(cell: Cell) -> str:
    """Return the text of a cell in a Markdown table."""
    return f"{cell.text} {cell.detail}".strip().replace("\n", ", ")
