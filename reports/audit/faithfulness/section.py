"""The section on faithfulness: whether the answer depends on the pixels that a map ranks highest."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.spec.measure import DECIDING_FILL
from reports.audit.estimates import COLUMNS, estimate_frame, fields_of, frame_of_rows
from reports.audit.faithfulness.fields import FaithfulnessFields
from reports.audit.faithfulness.figures import faithfulness_figures
from reports.audit.faithfulness.measures import (
    control_scores,
    count_images,
    faithfulness,
    removal_curves,
    removal_leads,
)
from reports.audit.faithfulness.sentences import NOT_ASKED, asked_sentence, beaten_sentences, left_out_sentences
from reports.audit.faithfulness.tables import faithfulness_tables, removal_table
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Table
from reports.page import Exhibit, fold_tables

READING = (
    "A map tells the truth about the network if the answer depends on the pixels that it ranks highest. Pixels are "
    "removed in the order of the map, step by step, and the network is asked again. Deletion is the mean probability "
    "with the highest removed first, insertion that with the lowest removed first; their difference is the symmetric "
    "relevance gain (SRG). All are read beside two orders that never saw the network. The blur decides; black is shown "
    "beside it, for where random order takes the answer in one step a fill says nothing about any order."
)


def _numbers(readings: Readings, _: FaithfulnessFields) -> Fields:
    return {
        "asked_about": count_images(readings),
        "removal_curves": tuple(removal_curves(readings)),
        "faithfulness": faithfulness(readings),
        "control_scores": tuple(control_scores(readings)),
        "removal_leads": tuple(removal_leads(readings)),
    }


def _body(result: FaithfulnessFields, drawn: Pictures) -> Mapping[str, Any]:
    if not result.removal_curves:
        return {"paragraphs": (NOT_ASKED,), "exhibits": (), "items": ()}
    asked = asked_sentence(result.asked_about, result.identity.sizes["image"])
    return {
        "paragraphs": (READING, " ".join((*beaten_sentences(result), asked))),
        "exhibits": tuple(_exhibits(result, drawn)),
        "items": tuple(left_out_sentences(result)),
    }


def _exhibits(result: FaithfulnessFields, drawn: Pictures) -> Iterator[Exhibit]:
    tables = tuple(faithfulness_tables(result))
    yield Exhibit(None, tables[:1])
    yield Exhibit(drawn.get("srg"))
    yield from (Exhibit(drawn.get(f"removal-{fill}")) for fill in dict.fromkeys(e.fill for e in result.removal_curves))
    yield from fold_tables("Other fills of removed pixels, and sums of cells", tables[1:])


def _summary_tables(result: FaithfulnessFields) -> tuple[Table, ...]:
    return (removal_table(result, DECIDING_FILL),) if result.removal_leads else ()


def _frames(result: FaithfulnessFields) -> Mapping[str, pd.DataFrame]:
    curves = (
        {**curve.model_dump(exclude={"points"}), **point.model_dump()}
        for curve in result.removal_curves
        for point in curve.points
    )
    leads = ({**each.model_dump(exclude={"difference"}), **fields_of(each.difference)} for each in result.removal_leads)
    return {
        "faithfulness": estimate_frame(result.faithfulness, ("method", "metric", *COLUMNS)),
        "removal-controls": estimate_frame(result.control_scores, ("control", "metric", *COLUMNS)),
        "removal-curves": frame_of_rows(curves, ("method", "fill", "order")),
        "removal-leads": frame_of_rows(leads, ("method", "over", "fill")),
    }


FAITHFULNESS: Section[FaithfulnessFields] = Section(
    id="faithfulness",
    title="Faithfulness",
    heading="Does the answer depend on what the maps show?",
    body=_body,
    numbers=_numbers,
    frames=_frames,
    figures=faithfulness_figures,
    summary_tables=_summary_tables,
)
