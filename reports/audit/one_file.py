"""The page of an audit as one file that can be mailed; it drops rows of maps where it would be too large."""

from collections.abc import Iterator, Mapping, Sequence

from reports.audit.page import html
from reports.audit.sections import AuditResult
from reports.audit.summary import worst_case
from reports.formatting import plural
from reports.page import style_sheet
from reports.plot_primitives import Picture
from reports.single_file import MOST, data_address, single_file

NAME = "report.html"
MARGIN = 10_000
"""Bytes for the words on what was left out, and for rounding."""


def mailed_page(result: AuditResult, drawn: Sequence[Picture], sheets: Mapping[str, bytes]) -> str:
    """Return the page as one file of at most 5 MB, and say in it which rows of maps were left out for that.

    Parameters
    ----------
    sheets
        The sheets of maps that the page shows, by their paths in it.
    """
    files = {**{picture.file: picture.svg for picture in drawn}, **sheets}
    whole = single_file(html(result, drawn, ()), style_sheet(), files)
    excess = len(whole.encode()) - MOST
    if excess <= 0:
        return whole
    return single_file(html(_without_some_maps(result, sheets, excess + MARGIN), drawn, ()), style_sheet(), files)


def _without_some_maps(result: AuditResult, sheets: Mapping[str, bytes], excess: int) -> AuditResult:
    """Return the result without as many rows of maps as the excess takes, those that say least first."""
    dropped: set[str] = set()
    for name in _least_telling_first(result):
        if excess <= 0:
            break
        dropped.add(name)
        excess -= len(data_address(name, sheets[name]))
    kept = [tuple(row for row in rows if row.sheet.file not in dropped) for rows in (result.cases, result.overview)]
    redrawn = () if result.redrawn_sheet and result.redrawn_sheet.file in dropped else result.redrawn_rows
    told = f"To stay below {MOST // 1_000_000} MB this file leaves out {plural(len(dropped), 'picture')} of maps."
    gallery = f"{result.gallery} {told} The folder of the report has them."
    return result.model_copy(
        update={"cases": kept[0], "overview": kept[1], "redrawn_rows": redrawn, "gallery": gallery}
    )


def _least_telling_first(result: AuditResult) -> Iterator[str]:
    """Yield the sheets that may be left out: best and median cases, then maps of clean images, last the worst cases."""
    shown = worst_case(result)
    for ranks in (("best", "median"), ("worst",)):
        yield from (case.sheet.file for case in reversed(result.cases) if case.rank in ranks and case != shown)
        if "best" in ranks:
            yield from (row.sheet.file for row in reversed(result.overview[1:]))
            yield from ([result.redrawn_sheet.file] if result.redrawn_sheet and result.redrawn_rows else [])
