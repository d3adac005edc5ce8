"""The page of a comparison, with the tables, figures and sentences of its result."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from pipeline.machine.writing import File, remove_folders, write_files
from pipeline.store.runs import location_of
from pipeline.store.store import exists
from reports.comparison import difference, networks, stability
from reports.comparison.change_words import change_table
from reports.comparison.result import HEADLINE, ComparisonResult
from reports.comparison.summarise import summarise
from reports.families import registry_position
from reports.page import STYLE, Exhibit, style_sheet, template_environment
from reports.plot_primitives import Picture
from reports.result import IMAGE_SETS, shown_metrics
from reports.runs import PAGE, REPORT
from reports.style import figure_style
from srd.errors import InputError, StoreError
from srd.registry import SRD

RESULT = "comparison.json"
FIGURES = f"{REPORT}/figures"


def write_comparison(audits: Sequence[Path], folder: Path) -> Path:
    """Write the comparison of finished audits into `folder`, and return the path of its page, as `compare` does."""
    compare(audits, folder)
    return folder / PAGE


def compare(audits: Sequence[Path], folder: Path) -> ComparisonResult:
    """Write the comparison of finished audits into `folder`, and return its numbers.

    The same stores give the same bytes each time.

    Parameters
    ----------
    audits
        The folders of the audits.

    Raises
    ------
    InputError
        If an audit is given twice, or `folder` is a file.
    StoreError
        If `folder` is that of an audit, or a link is where a file of the comparison goes.
    """
    _refuse_taken_folder(folder)
    result = summarise(audits, folder / REPORT)
    drawn = tuple(pictures(result))
    remove_folders(folder, [FIGURES])
    write_files(folder, _files(result, drawn))
    return result


def _files(result: ComparisonResult, drawn: Sequence[Picture]) -> Iterator[File]:
    yield from ((f"{REPORT}/{picture.file}", picture.svg) for picture in drawn)
    yield f"{REPORT}/{STYLE}", style_sheet().encode()
    numbers = (result.model_dump_json(indent=1) + "\n").encode()
    yield RESULT, numbers
    yield f"{REPORT}/{RESULT}", numbers
    yield PAGE, html(result, drawn).encode()


def pictures(result: ComparisonResult) -> Iterator[Picture]:
    """Draw the figures that have numbers."""
    with figure_style():
        yield from stability.picture(result)
        yield from difference.picture(result)


def html(result: ComparisonResult, drawn: Sequence[Picture]) -> str:
    """Return the page as HTML."""
    by_name = {picture.name: picture for picture in drawn}
    similarities = shown_metrics(row.similarity for row in result.similarities)
    others = [each for each in product(similarities, IMAGE_SETS) if each != HEADLINE]
    return template_environment().get_template("comparison.html.j2").render(
        result=result,
        srd=SRD.title,
        methods=sorted({row.method for row in result.similarities}, key=registry_position),
        change_table=change_table(result.change) if result.change else None,
        calibrated=stability.calibrated_table(result),
        stability=Exhibit(by_name.get("stability"), (stability.table(result, *HEADLINE),)),
        difference=Exhibit(by_name.get("difference"), (difference.table(result, *HEADLINE),)),
        others=[part.table(result, *each) for each in others for part in (stability, difference)],
        networks=networks.table(result),
        excluded=sorted({why for row in (*result.similarities, *result.differences) for why in row.estimate.excluded}),
    )  # fmt: skip


def _refuse_taken_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    if exists(location_of(folder)):
        raise StoreError(
            f"--out {folder}: holds the run of one network, whose report would be lost; name another folder"
        )
