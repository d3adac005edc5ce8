"""The section on differences: SRD minus each baseline, paired by image."""

from collections.abc import Iterator
from itertools import product

from reports.audit import calibration
from reports.audit.estimates import difference
from reports.cells import Cell, Table
from reports.comparison import matrix
from reports.comparison.audits import Audit
from reports.comparison.matrix import NUMBERS, caveat_notes, hollow_note, row_key
from reports.comparison.result import HEADLINE, ComparisonResult, ComparisonRow, Difference
from reports.families import is_control
from reports.formatting import images_in_words, method_title, signed_interval, signed_value, size
from reports.plot_primitives import Picture
from reports.result import IMAGE_SETS, Estimate, ImageSet
from reports.style import INK, svg
from srd.registry import METRICS, SRD


def differences(audit: Audit) -> Iterator[Difference]:
    """Return the differences of one audit. Each method is read under the attack on itself."""
    methods = audit.readings.methods
    baselines = [name for name in methods if name != SRD.name and not is_control(name)]
    columns = [column for column, method in audit.conditions if method == SRD.name]
    for column, baseline, similarity, images in product(columns, baselines, audit.readings.similarities, IMAGE_SETS):
        if (column, baseline) in audit.conditions:
            own, other = ((audit.conditions[column, name], name) for name in (SRD.name, baseline))
            doubts = {name: audit.verdicts.get(condition) for condition, name in (own, other)}
            yield Difference(
                network=audit.name,
                column=column,
                method=baseline,
                similarity=similarity,
                images=images,
                estimate=_difference(audit, own, other, similarity, images),
                doubt=", ".join(f"{method_title(name)}: {doubt}" for name, doubt in doubts.items() if doubt),
            )


def _difference(
    audit: Audit, own: tuple[str, str], other: tuple[str, str], similarity: str, images: ImageSet
) -> Estimate:
    if (similarity, images) == HEADLINE:
        return calibration.difference(audit.readings, audit.calibrated[own], audit.calibrated[other])
    return difference(audit.readings, own, other, similarity, images)


def table(result: ComparisonResult, similarity: str, images: ImageSet) -> Table:
    """Return the table of networks and baselines against columns, for one similarity and set of images."""
    rows = [row for row in result.differences if (row.similarity, row.images) == (similarity, images)]
    what = "Calibrated stability" if (similarity, images) == HEADLINE else METRICS[similarity].title
    caption = f"{what}: {SRD.title} minus each baseline, paired by image, {images_in_words(images)} (95 % intervals)."
    return matrix.table(result, caption, f"{SRD.title} minus", {row_key(row): _signed_cell(row) for row in rows})


def picture(result: ComparisonResult) -> Iterator[Picture]:
    """Draw the differences of calibrated stabilities, if there are any."""
    frame = matrix.frame(result.differences)
    if frame.empty:
        return
    caption = (
        f"Calibrated stability: {SRD.title} minus each baseline, paired by image, all "
        f"images (95 % intervals). Right of the line {SRD.title} is the more stable one.{hollow_note(frame)}"
        f"{caveat_notes(frame, result)}"
    )
    figure = matrix.figure(frame, result, "difference of calibrated stability")
    for axes in figure.axes:
        axes.axvline(0, color=INK, linewidth=1, zorder=0)
    yield Picture("difference", svg(figure), caption, f"{caption} {NUMBERS}")


def _signed_cell(row: ComparisonRow) -> Cell:
    details = (signed_interval(row.estimate), size(row.estimate), row.doubt)
    return Cell(signed_value(row.estimate), "\n".join(filter(None, details)), "unreliable" if row.doubt else "")
