"""Section: how similar clean and perturbed maps are, on the scale of how similar clean maps are to others."""

from collections.abc import Iterator

from reports.cells import Table, measured
from reports.comparison import matrix
from reports.comparison.audits import Audit
from reports.comparison.matrix import NUMBERS, hollow, place
from reports.comparison.result import ComparisonResult, Similarity
from reports.formatting import images_in_words
from reports.marks import Picture
from reports.result import MEASURE, Images
from reports.statistics import unit
from reports.style import svg
from srd.registry import METRICS


def similarities(audit: Audit) -> Iterator[Similarity]:
    """Return the means of one audit; an attack on explanations counts for the method that it is aimed at."""
    yield from _perturbed(audit)
    yield from _references(audit)


def table(result: ComparisonResult, similarity: str, images: Images) -> Table:
    """Return every network and method against every column, for one similarity and set of images."""
    rows = [row for row in result.similarities if (row.similarity, row.images) == (similarity, images)]
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)} (95 % intervals)."
    return matrix.table(
        result, caption, "method", {place(row): measured(row.estimate, verdict=row.doubt) for row in rows}
    )


def picture(result: ComparisonResult) -> Iterator[Picture]:
    """Draw the correlations over all images, if there are any."""
    frame = matrix.frame(result.similarities)
    if frame.empty:
        return
    caption = (
        f"{METRICS[MEASURE].title} of clean and perturbed maps, all images (95 % intervals). On grey: of clean maps "
        f"and other maps, the scale on which the rest is read. "
        f"Methods of one family share a hue.{hollow(frame)}"
    )
    figure = matrix.figure(frame, result, unit(MEASURE))
    least = float(frame[["value", "low"]].astype(float).min().min())
    figure.axes[0].set_xlim(min(-0.05, least - 0.05), 1.06)
    yield Picture("stability", svg(figure), caption, f"{caption} {NUMBERS}")


def _perturbed(audit: Audit) -> Iterator[Similarity]:
    columns = {(entry, method): column for (column, method), entry in audit.entries.items()}
    for row in audit.result.stability:
        if (row.condition, row.method) in columns:
            yield Similarity(
                network=audit.name,
                column=columns[row.condition, row.method],
                method=row.method,
                similarity=row.similarity,
                images=row.images,
                estimate=row.estimate,
                doubt=audit.verdicts.get((row.condition, row.method, row.similarity, row.images), ""),
            )


def _references(audit: Audit) -> Iterator[Similarity]:
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
