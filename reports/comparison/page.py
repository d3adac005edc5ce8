"""The page of a comparison: tables, figures and sentences of its result."""

import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path, PurePath

from pipeline.store import exists
from reports.cells import Cell, Table, measured, method_heading
from reports.comparison.figures import pictures
from reports.comparison.findings import signed, signed_interval
from reports.comparison.result import HEADLINE, ComparisonResult, Network, Row
from reports.comparison.summarise import summarise
from reports.families import family_of, position
from reports.formatting import NONE, images_in_words, size
from reports.marks import Picture
from reports.page import STYLE, Exhibit, environment, style
from reports.result import IMAGES, Images
from reports.runs import PAGE, location_of
from srd.errors import InputError, StoreError
from srd.registry import METRICS, SRD

RESULT = "comparison.json"
FIGURES = "figures"
ABSENT = Cell(NONE, "not in this run")


def write_comparison(audits: Sequence[Path], folder: Path) -> Path:
    """Writes the comparison of finished audits, given by their folders, into `folder`; returns the path of its page.

    The same bytes each time for the same stores. Raises InputError if an audit is given twice or `folder` is a file,
    StoreError if it is the folder of an audit.
    """
    _refuse_taken(folder)
    home = (folder / PAGE).parent
    result = summarise(audits, home)
    drawn = tuple(pictures(result))
    shutil.rmtree(home / FIGURES, ignore_errors=True)
    (home / FIGURES).mkdir(parents=True)
    for picture in drawn:
        (home / picture.file).write_bytes(picture.svg)
    (home / STYLE).write_text(style())
    (folder / RESULT).write_text(result.model_dump_json(indent=1) + "\n")
    (folder / PAGE).write_text(html(result, drawn))
    return folder / PAGE


def html(result: ComparisonResult, drawn: Sequence[Picture]) -> str:
    """The page."""
    by_name = {picture.name: picture for picture in drawn}
    similarities = dict.fromkeys(row.similarity for row in result.similarities)
    others = [each for each in product(similarities, IMAGES) if each != HEADLINE]
    return environment().get_template("comparison.html.j2").render(
        result=result,
        srd=SRD.title,
        methods=sorted({row.method for row in result.similarities}, key=position),
        stability=Exhibit(by_name.get("stability"), (_stability(result, *HEADLINE),)),
        difference=Exhibit(by_name.get("difference"), (_difference(result, *HEADLINE),)),
        others=[table for each in others for table in (_stability(result, *each), _difference(result, *each))],
        networks=_networks(result),
        excluded=sorted({why for row in (*result.similarities, *result.differences) for why in row.estimate.excluded}),
    )  # fmt: skip


def _refuse_taken(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    if exists(location_of(folder)):
        raise StoreError(
            f"--out {folder}: holds the run of one network, whose report would be lost; name another folder"
        )


def _stability(result: ComparisonResult, similarity: str, images: Images) -> Table:
    rows = [row for row in result.similarities if (row.similarity, row.images) == (similarity, images)]
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)} (95 % intervals)."
    return _table(result, caption, "method", {_place(row): measured(row.estimate, verdict=row.doubt) for row in rows})


def _difference(result: ComparisonResult, similarity: str, images: Images) -> Table:
    rows = [row for row in result.differences if (row.similarity, row.images) == (similarity, images)]
    caption = (
        f"{METRICS[similarity].title}: {SRD.title} minus each baseline, mean of the differences paired by image, "
        f"{images_in_words(images)} (95 % intervals)."
    )
    return _table(result, caption, f"{SRD.title} minus", {_place(row): _signed(row) for row in rows})


def _table(result: ComparisonResult, caption: str, what: str, cells: Mapping[tuple[str, str, str], Cell]) -> Table:
    """Networks and methods against columns; what an audit has not measured is said so."""
    columns = [column for column in result.columns if any(name == column.name for *_, name in cells)]
    rows = (
        (
            method_heading(method, group=f"{network}: {family_of(method)}"),
            *(cells.get((network, method, column.name), ABSENT) for column in columns),
        )
        for network, method in dict.fromkeys((network, method) for network, method, _ in cells)
    )
    return Table(caption, (what, *(column.title for column in columns)), tuple(rows))


def _place(row: Row) -> tuple[str, str, str]:
    return row.network, row.method, row.column


def _signed(row: Row) -> Cell:
    details = (signed_interval(row.estimate), size(row.estimate), row.doubt)
    return Cell(signed(row.estimate), "\n".join(filter(None, details)), "unreliable" if row.doubt else "")


def _networks(result: ComparisonResult) -> Table:
    """What was audited, and how its predictions take each perturbation."""
    kept = {(row.network, row.column): measured(row.estimate) for row in result.kept}
    columns = [column for column in result.columns if any(name == column.name for _, name in kept)]
    rows = (
        (*_facts(network), *(kept.get((network.name, column.name), ABSENT) for column in columns))
        for network in result.networks
    )
    header = ("network", "data", "right class, clean", *(f"class kept, {column.title}" for column in columns))
    return Table("Networks, and shares of their images (95 % Wilson intervals).", header, tuple(rows))


def _facts(network: Network) -> tuple[Cell, ...]:
    made, sizes = network.identity, network.identity.sizes
    images = f"{sizes['image']:,} images of {made.classes_present:,} of {sizes['class']:,} classes"
    return (
        Cell(network.name, f"{PurePath(made.model).name}, {made.parameters:,} parameters"),
        Cell("/".join(PurePath(made.data).parts[-2:]), f"{images}\n{sizes['channel']} x {sizes['y']} x {sizes['x']}"),
        measured(network.accuracy),
    )
