"""The section on sensitivity: how far maps move under random changes, for each unit that the inputs moved."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from reports.audit.coupling import couplings
from reports.audit.estimates import COLUMNS, estimate_frame, fields_of, frame_of_rows
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.audit.sensitivity.fields import SensitivityFields
from reports.audit.sensitivity.measures import coupled_conditions, method_sensitivities
from reports.audit.sensitivity.tables import MEASURES, coupling_table, found_table, sensitivity_tables
from reports.formatting import counts_in_words, enumeration, plural
from reports.page import Exhibit, fold_tables

READING = (
    "Change: the norm of the difference of the perturbed and the clean map, over the norm of the clean map, 0 = "
    "unmoved. Of several draws it is the largest or the mean of each image. Per unit of the input: the largest change "
    "over the root mean square of the change of the normalised inputs. Lower is better everywhere, but a map that "
    "depends on nothing has 0: read them beside the verdicts."
)
SCOPE = (
    "These numbers grow with the number of draws and with the strength, so only those of one table compare. With one "
    "draw the largest and the mean change are the same number."
)
FILES = (
    "Relative stabilities (the change of the map over that of inputs, logits or features; lower is better) stand in "
    "data/sensitivity.csv and audit.json; draws that flip the prediction are left out of these."
)


def _numbers(readings: Readings, result: SensitivityFields) -> Fields:
    return {
        "sensitivities": method_sensitivities(readings, result.conditions),
        "couplings": couplings(readings, coupled_conditions(result.conditions)),
    }


def left_out_sentences(result: SensitivityFields) -> Iterator[str]:
    """Yield, for each reason, how many draws of all methods have no value, by measure."""
    counts: Counter[tuple[str, str]] = Counter()
    for each in result.sensitivities:
        for reason, count in each.draws_left_out.items():
            counts[reason, each.name] += count
    for reason in dict.fromkeys(reason for reason, _ in counts):
        by_count: dict[int, list[str]] = {}
        for (why, name), count in counts.items():
            if why == reason:
                by_count.setdefault(count, []).append(name)
        told = enumeration(f"{plural(count, 'draw')} of {_measures(names)}" for count, names in by_count.items())
        yield f"Left out, all methods together: {told}: {reason}."


def _measures(names: Iterable[str]) -> str:
    return enumeration(MEASURES[name] for name in names)


def _body(result: SensitivityFields, _: Pictures) -> Mapping[str, Any]:
    tables = (found_table(result), coupling_table(result))
    random = [table for table in sensitivity_tables(result) if table.rows]
    shown = (Exhibit(None, (table,)) for table in tables if table.rows)
    return {
        "paragraphs": (READING, SCOPE, FILES),
        "exhibits": (*shown, *fold_tables("Change under each random change", random)),
        "items": tuple(left_out_sentences(result)),
    }


def _frames(result: SensitivityFields) -> Mapping[str, pd.DataFrame]:
    columns = ("condition", "draws", "method", "name", "better", "draws_left_out", "found_under", "found_on", *COLUMNS)
    measured = estimate_frame(result.sensitivities, columns)
    measured["draws_left_out"] = [counts_in_words(counts) for counts in measured["draws_left_out"]]
    coupled = (
        {"condition": each.condition, "method": each.method, "than": than, **fields_of(estimate)}
        for each in result.couplings
        for than, estimate in (("", each.correlation), ("edges", each.beyond_edges))
        if estimate
    )
    return {"sensitivity": measured, "coupling-exploratory": frame_of_rows(coupled, ("condition", "method"))}


SENSITIVITY: Section[SensitivityFields] = Section(
    id="sensitivity",
    title="Sensitivity",
    heading="How far random changes move maps",
    body=_body,
    numbers=_numbers,
    frames=_frames,
)
