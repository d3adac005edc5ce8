"""The section on stability: the similarity of clean and perturbed maps, beside that of clean maps to others."""

from collections.abc import Iterator

from reports.cells import Table, estimate_cell
from reports.comparison import matrix
from reports.comparison.audits import Audit
from reports.comparison.matrix import NUMBERS, caveat_notes, hollow_note, row_key
from reports.comparison.result import Calibrated, ComparisonResult, Similarity
from reports.formatting import images_in_words
from reports.plot_primitives import Picture
from reports.result import MEASURE, ImageSet
from reports.statistics import unit
from reports.style import svg
from srd.registry import METRICS


def similarities(audit: Audit) -> Iterator[Similarity]:
    """Return the means of one audit. An attack on explanations counts only for the method that it attacks."""
    yield from _perturbed_similarities(audit)
    yield from _reference_similarities(audit)


def calibrated_stabilities(audit: Audit) -> Iterator[Calibrated]:
    """Return the calibrated stabilities of one audit. Each method is read under the attack on itself."""
    for (column, method), condition in audit.conditions.items():
        yield Calibrated(
            network=audit.name,
            column=column,
            method=method,
            similarity=MEASURE,
            images="all",
            estimate=audit.calibrated[condition, method].estimate,
            doubt=audit.verdicts.get(condition, ""),
        )


def calibrated_table(result: ComparisonResult) -> Table:
    """Return the table of networks and methods against perturbations, by calibrated stability."""
    caption = (
        "Calibrated stability, all images: (correlation of clean and perturbed map - floor) / (ceiling - floor), the "
        "floor being the correlation of the clean maps of two images, the ceiling 1, or, of a method that draws at "
        "random, the correlation of two maps of the clean image (95 % intervals)."
    )
    cells = {row_key(row): estimate_cell(row.estimate, verdict=row.doubt) for row in result.calibrated}
    return matrix.table(result, caption, "method", cells)


def table(result: ComparisonResult, similarity: str, images: ImageSet) -> Table:
    """Return the table of networks and methods against columns, for one similarity and set of images."""
    rows = [row for row in result.similarities if (row.similarity, row.images) == (similarity, images)]
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)} (95 % intervals)."
    return matrix.table(
        result, caption, "method", {row_key(row): estimate_cell(row.estimate, verdict=row.doubt) for row in rows}
    )


def picture(result: ComparisonResult) -> Iterator[Picture]:
    """Draw the correlations over all images, if there are any."""
    frame = matrix.frame(result.similarities)
    if frame.empty:
        return
    caption = (
        f"{METRICS[MEASURE].title} of clean and perturbed maps, all images (95 % intervals). On grey: of clean maps "
        f"and other maps, the scale on which the rest is read. "
        f"Methods of one family share a hue.{hollow_note(frame)}{caveat_notes(frame, result)}"
    )
    figure = matrix.figure(frame, result, unit(MEASURE))
    least = float(frame[["value", "low"]].astype(float).min().min())
    figure.axes[0].set_xlim(min(-0.05, least - 0.05), 1.06)
    yield Picture("stability", svg(figure), caption, f"{caption} {NUMBERS}")


def _perturbed_similarities(audit: Audit) -> Iterator[Similarity]:
    columns = {(condition, method): column for (column, method), condition in audit.conditions.items()}
    for row in audit.result.stability:
        if (row.condition, row.method) in columns:
            yield Similarity(
                network=audit.name,
                column=columns[row.condition, row.method],
                method=row.method,
                similarity=row.similarity,
                images=row.images,
                estimate=row.estimate,
                doubt=audit.verdicts.get(row.condition, ""),
            )


def _reference_similarities(audit: Audit) -> Iterator[Similarity]:
    for row in audit.result.references:
        yield Similarity(
            network=audit.name,
            column=row.reference,
            method=row.method,
            similarity=row.similarity,
            images="all",
            estimate=row.estimate,
            doubt="",
        )
