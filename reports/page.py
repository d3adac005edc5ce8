"""The result as a page and as a short summary: templates filled with tables, sentences and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from reports import audited, findings, limits, maps, tables
from reports.cells import Cell, Table
from reports.families import by_family
from reports.headlines import headlines
from reports.heat import transfer_name
from reports.marks import Picture
from reports.measurements import IMAGES
from reports.panels import stability_name
from reports.result import AuditResult, Case, Transfer
from reports.wording import method_title
from srd.registry import METRICS

STYLE = "style.css"


@dataclass(frozen=True)
class Exhibit:
    """A picture, where there is one, with the tables of its numbers."""

    picture: Picture | None
    tables: tuple[Table, ...]
    remarks: tuple[str, ...] = ()


def html(result: AuditResult, pictures: Sequence[Picture], data: Sequence[str], layers: Sequence[str] = ()) -> str:
    """The page; `data` are the files with numbers beside it, `layers` those whose concepts have a page."""
    by_name = {picture.name: picture for picture in pictures}
    headline = [each.table for each in headlines(result)]
    others = [table for table in result.transfer if table.images == "all" and table not in headline]
    return environment().get_template("report.html.j2").render(
        result=result,
        audited=audited,
        tables=tables,
        accuracy=Exhibit(by_name.get("accuracy"), (tables.accuracy(result),)),
        curve=by_name.get("accuracy-curve"),
        references=by_name.get("references"),
        stability=_stability(result, by_name),
        headlines=[_transfer_exhibit(result, table, by_name) for table in headline],
        transfer=[_transfer_exhibit(result, table, by_name) for table in others],
        localisation=Exhibit(by_name.get("localisation"), (tables.quality(result),)),
        overview=[(row, by_family(row.maps, lambda panel: panel.method)) for row in result.overview],
        cases=_by_attack(result.cases),
        chance=findings.chance(result),
        undefined=list(limits.undefined(result)),
        data=data,
        layers=layers,
    )  # fmt: skip


def markdown(result: AuditResult) -> str:
    """The summary: sentences and the tables that they rest on."""
    return environment().get_template("summary.md.j2").render(
        result=result,
        tables=_headlines(result),
        chance=findings.chance(result),
    )  # fmt: skip


def style() -> str:
    """The style sheet."""
    return (files("reports") / "templates" / STYLE).read_text()


def environment() -> Environment:
    """What fills the templates."""
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
    made.globals["usual_rule"] = maps.USUAL_RULE
    return made


def _stability(result: AuditResult, by_name: dict[str, Picture]) -> list[Exhibit]:
    similarities = dict.fromkeys(each.similarity for each in result.stability)
    return [
        Exhibit(
            by_name.get(stability_name(similarity, images)),
            (tables.stability(result, similarity, images),),
        )
        for similarity in similarities
        for images in IMAGES
    ]


def _transfer_exhibit(result: AuditResult, table: Transfer, by_name: dict[str, Picture]) -> Exhibit:
    name = transfer_name(table)
    both = (other for other in result.transfer if transfer_name(other) == name)
    numbers = tuple(tables.transfer(each) for each in both)
    return Exhibit(by_name.get(name), numbers, tuple(tables.doubts(table)))


def _by_attack(cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    titles = dict.fromkeys(case.title for case in cases)
    return [(title, [case for case in cases if case.title == title]) for title in titles]


def _headlines(result: AuditResult) -> tuple[Table, ...]:
    attacks = (tables.transfer(each.table) for each in headlines(result))
    return (tables.accuracy(result), tables.scale(result), *attacks, tables.quality(result))


def _piped(cell: Cell) -> str:
    """A cell of a Markdown table."""
    text = f"{cell.text} {cell.detail}".strip().replace("\n", ", ")
    return text.replace("|", "\\|")
