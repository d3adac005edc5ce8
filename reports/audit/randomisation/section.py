"""The section on randomisation: whether maps depend on what the network has learnt."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.plan.axes import WHOLE_DEPTH
from reports.audit.estimates import COLUMNS, estimate_frame, fields_of, frame_of_rows
from reports.audit.randomisation.fields import DepthSimilarity, RandomisationFields
from reports.audit.randomisation.figures import randomisation_figures
from reports.audit.randomisation.gallery import depth_in_words, redrawn_rows, redrawn_sheet
from reports.audit.randomisation.measures import (
    complexity_rises,
    depth_similarities,
    images_explained_again,
    redrawn_floors,
)
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.families import by_family, is_control
from reports.formatting import enumeration, interval, plural, value
from reports.page import Exhibit
from reports.result import Estimate
from srd.registry import METRICS

READING = (
    "A map explains what a network has learnt only if it changes when that is taken away. The weights of ever more "
    "layers are drawn again, from the input on, and the clean images are explained once more. At full depth they are "
    "drawn several times: all images share one re-drawn network, so the re-draw is the unit there. This is read as "
    "pass or fail, not as a rank: a map of noise changes most. Rise of complexity: the share by which the entropy of "
    "the map's values grows at full depth."
)
NOT_ASKED = (
    "Not measured: the spec does not ask for it. Add the category “randomisation” to measure.categories to have it."
)
ALIKE = 0.5
"""Helps the reader; it is not a criterion, so the sentence gives the number."""


def _numbers(readings: Readings, _: RandomisationFields) -> Fields:
    return {
        "explained_again": images_explained_again(readings),
        "depth_similarities": tuple(depth_similarities(readings)),
        "redrawn_floors": tuple(redrawn_floors(readings)),
        "complexity_rises": tuple(complexity_rises(readings)),
        "redrawn_rows": redrawn_rows(readings),
        "redrawn_sheet": redrawn_sheet(readings),
    }


def randomisation_table(result: RandomisationFields) -> Table:
    """Return the table of similarities by depth, with the floor of each method and its rise of complexity."""
    depths = list(dict.fromkeys(each.depth for each in result.depth_similarities))
    found = {(each.method, each.depth): each for each in result.depth_similarities}
    floors = {each.method: each.estimate for each in result.redrawn_floors}
    rises = {each.method: each.estimate for each in result.complexity_rises}
    rows = (
        (
            method_heading(each.name, result.caveats),
            *(_cell(found[each.name, depth]) for depth in depths),
            estimate_cell(floors[each.name]),
            _cell_of_redraws(rises[each.name], _images_of(rises[each.name], found[each.name, WHOLE_DEPTH])),
        )
        for each in result.methods
    )
    caption = (
        "Correlation of the clean map with that of the network whose layers are drawn again, from the input on (95 % "
        "intervals: over images, at full depth, and of the rise of complexity, over re-draws)."
    )
    header = ("method", *depths, "another image", METRICS["complexity_rise"].title)
    return Table(caption, header, tuple(rows))


def _cell(each: DepthSimilarity) -> Cell:
    return _cell_of_redraws(each.estimate, each.images) if each.depth == WHOLE_DEPTH else estimate_cell(each.estimate)


def _images_of(rise: Estimate, similarity: DepthSimilarity) -> int:
    """Return how many of the images that were explained again a rise is of."""
    return similarity.images + sum(similarity.estimate.excluded.values()) - sum(rise.excluded.values())


def _cell_of_redraws(estimate: Estimate, images: int) -> Cell:
    """Return a mean over re-draws, each a mean over images, with both numbers."""
    if estimate.value is None:
        return estimate_cell(estimate)
    n = f"{plural(estimate.n, 're-draw')} of {plural(images, 'image')}"
    return Cell(value(estimate), f"{interval(estimate)}\n{n}")


def unmoved_sentence(result: RandomisationFields) -> str:
    """Return a sentence on the methods whose maps stay as they are, the controls among them named apart."""
    stayed = [
        each for each in result.depth_similarities
        if each.depth == WHOLE_DEPTH and each.estimate.value is not None and each.estimate.value >= ALIKE
    ]  # fmt: skip
    if not stayed:
        return f"With all weights drawn again no method's maps correlate by {ALIKE:g} or more with those before."
    told = [
        enumeration(_in_words(result, each) for each in stayed if is_control(each.method) is control)
        for control in (False, True)
        if any(is_control(each.method) is control for each in stayed)
    ]
    return (
        f"With all weights drawn again, maps correlate by {ALIKE:g} or more with those before, so that they explain "
        f"little of what was learnt: {'; and, among the controls, '.join(told)}."
    )


def _in_words(result: RandomisationFields, each: DepthSimilarity) -> str:
    ends = interval(each.estimate)
    return f"{result.title_of(each.method)} {value(each.estimate)} ({ends}, {plural(each.redraws, 're-draw')})"


def _body(result: RandomisationFields, drawn: Pictures) -> Mapping[str, Any]:
    if not result.depth_similarities:
        return {"paragraphs": (NOT_ASKED,), "exhibits": (), "items": (), "rows": (), "headings": ()}
    asked = f"{result.explained_again} of {plural(result.identity.sizes['image'], 'image')} were explained again."
    return {
        "paragraphs": (READING, f"{unmoved_sentence(result)} {asked}"),
        "exhibits": (Exhibit(None, (randomisation_table(result),)), Exhibit(drawn.get("randomisation"))),
        "items": tuple(_left_out(result)),
        "rows": by_family(result.redrawn_rows, lambda row: row.method),
        "headings": [depth_in_words(depth) for row in result.redrawn_rows[:1] for depth in row.maps],
    }


def _left_out(result: RandomisationFields) -> Iterator[str]:
    """Yield, for each reason, the methods whose maps cannot be compared, with the numbers of images."""
    whole = [each for each in result.depth_similarities if each.depth == WHOLE_DEPTH]
    for reason in dict.fromkeys(why for each in whole for why in each.estimate.excluded):
        told = enumeration(
            f"{result.title_of(each.method)} {plural(each.estimate.excluded[reason], 'image')}"
            for each in whole
            if reason in each.estimate.excluded
        )
        yield f"Left out: {told}: {reason}."


def _frames(result: RandomisationFields) -> Mapping[str, pd.DataFrame]:
    above = (
        {"method": each.method, "depth": each.depth, "redraws": each.redraws, "images": each.images,
         **fields_of(each.above_other_image)}
        for each in result.depth_similarities
        if each.above_other_image
    )  # fmt: skip
    similarities = (
        {**each.model_dump(exclude={"estimate", "above_other_image"}), **fields_of(each.estimate)}
        for each in result.depth_similarities
    )
    return {
        "randomisation": frame_of_rows(similarities, ("method", "depth")),
        "randomisation-above-other-image": frame_of_rows(above, ("method", "depth")),
        "randomisation-floor": estimate_frame(result.redrawn_floors, ("method", *COLUMNS)),
        "complexity-rise": estimate_frame(result.complexity_rises, ("method", "metric", *COLUMNS)),
    }


RANDOMISATION: Section[RandomisationFields] = Section(
    id="randomisation",
    title="Randomisation",
    heading="Do maps depend on what the network has learnt?",
    template="randomisation",
    body=_body,
    numbers=_numbers,
    frames=_frames,
    figures=randomisation_figures,
    summary_tables=lambda result: [randomisation_table(result)] if result.depth_similarities else [],
)
