"""Section: SRD minus each baseline, paired by image."""

from collections.abc import Iterator
from itertools import product

from reports.audit.estimates import difference
from reports.cells import Cell, Table
from reports.comparison import matrix
from reports.comparison.audits import Audit
from reports.comparison.matrix import NUMBERS, hollow, place
from reports.comparison.result import ComparisonResult, Difference, Row
from reports.families import is_control
from reports.formatting import images_in_words, method_title, signed, signed_interval, size
from reports.marks import Picture
from reports.result import IMAGES, MEASURE, Images
from reports.style import INK, svg
from srd.registry import METRICS, SRD


def differences(audit: Audit) -> Iterator[Difference]:
    """Return the mean differences of one audit; each method is read under the attack on itself."""
    methods = audit.readings.methods
    baselines = [name for name in methods if name != SRD.name and not is_control(name)]
    columns = [column for column, method in audit.entries if method == SRD.name]
    for column, baseline, similarity, images in product(columns, baselines, audit.readings.similarities, IMAGES):
        if (column, baseline) in audit.entries:
            own, other = ((audit.entries[column, name], name) for name in (SRD.name, baseline))
            doubts = {name: audit.verdicts.get((entry, name, similarity, images)) for entry, name in (own, other)}
            yield Difference(
                network=audit.name,
                column=column,
                method=baseline,
                similarity=similarity,
                images=images,
                estimate=difference(audit.readings, own, other, similarity, images),
                doubt=", ".join(f"{method_title(name)}: {doubt}" for name, doubt in doubts.items() if doubt),
            )


def table(result: ComparisonResult, similarity: str, images: Images) -> Table:
    """Return every network and baseline against every column, for one similarity and set of images."""
    rows = [row for row in result.differences if (row.similarity, row.images) == (similarity, images)]
    caption = (
        f"{METRICS[similarity].title}: {SRD.title} minus each baseline, mean of the differences paired by image, "
        f"{images_in_words(images)} (95 % intervals)."
    )
    return matrix.table(result, caption, f"{SRD.title} minus", {place(row): _signed_cell(row) for row in rows})


def picture(result: ComparisonResult) -> Iterator[Picture]:
    """Draw the differences of correlations over all images, if there are any."""
    frame = matrix.frame(result.differences)
    if frame.empty:
        return
    caption = (
        f"{METRICS[MEASURE].title} of clean and perturbed maps: {SRD.title} minus each baseline, paired by image, all "
        f"images (95 % intervals). Right of the line {SRD.title} is the more stable one.{hollow(frame)}"
    )
    figure = matrix.figure(frame, result, f"difference of {METRICS[MEASURE].title}")
    for axes in figure.axes:
        axes.axvline(0, color=INK, linewidth=1, zorder=0)
    yield Picture("difference", svg(figure), caption, f"{caption} {NUMBERS}")


def _signed_cell(row: Row) -> Cell:
    details = (signed_interval(row.estimate), size(row.estimate), row.doubt)
    return Cell(signed(row.estimate), "\n".join(filter(None, details)), "unreliable" if row.doubt else "")
