"""The environment of the templates of all pages, and the style sheet."""

from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reports import pixels
from reports.cells import Cell, Table
from reports.formatting import method_title
from reports.plot_primitives import Picture
from srd.registry import METRICS

STYLE = "style.css"

File = tuple[str, bytes]
"""A file of a page: its path, relative to the folder of the page, and its content."""


@dataclass(frozen=True)
class Exhibit:
    """A picture, where there is one, with the tables of its numbers, and remarks below them."""

    picture: Picture | None
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()


def style_sheet() -> str:
    """Return the style sheet."""
    return (files("reports") / "templates" / STYLE).read_text()


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
    templates.filters["short"] = lambda name: name.rpartition("/")[2]
    templates.filters["metric"] = lambda name: METRICS[name].title
    templates.globals["usual_rule"] = pixels.USUAL_RULE
    return templates


def _markdown_cell(cell: Cell) -> str:
    """Return the text of a cell in a Markdown table."""
    text = f"{cell.text} {cell.detail}".strip().replace("\n", ", ")
    return text.replace("|", "\\|")
