"""What fills the templates of every page: cells, names, macros, the style sheet."""

from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reports import pixels
from reports.cells import Cell, Table
from reports.formatting import method_title
from reports.marks import Picture
from srd.registry import METRICS

STYLE = "style.css"


@dataclass(frozen=True)
class Exhibit:
    """A picture, where there is one, with the tables of its numbers."""

    picture: Picture | None
    tables: tuple[Table, ...] = ()
    remarks: tuple[str, ...] = ()


def style() -> str:
    """Return the style sheet."""
    return (files("reports") / "templates" / STYLE).read_text()


def environment() -> Environment:
    """Return what fills the templates."""
    made = Environment(
        loader=PackageLoader("reports"),
        autoescape=select_autoescape(("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["piped"] = _piped
    made.filters["method"] = method_title
    made.filters["short"] = lambda name: name.rpartition("/")[2]
    made.filters["metric"] = lambda name: METRICS[name].title
    made.globals["usual_rule"] = pixels.USUAL_RULE
    return made


def _piped(cell: Cell) -> str:
    """Return a cell of a Markdown table."""
    text = f"{cell.text} {cell.detail}".strip().replace("\n", ", ")
    return text.replace("|", "\\|")
