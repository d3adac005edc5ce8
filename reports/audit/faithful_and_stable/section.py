"""The section that sets stability beside faithfulness, and asks whether attacked maps still tell the truth."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reports.audit.estimates import fields_of, frame_of_rows
from reports.audit.faithful_and_stable.fields import FaithfulAndStableFields, FaithfulUnderAttack, Tradeoff
from reports.audit.faithful_and_stable.figures import tradeoff_figures
from reports.audit.faithful_and_stable.measures import faithful_under_attack, tradeoffs
from reports.audit.faithfulness.sentences import NOT_ASKED
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.formatting import (
    NONE,
    Caveats,
    condition_in_words,
    enumeration,
    method_title,
    percent,
    signed_interval,
    signed_value,
    size,
)
from reports.page import Exhibit
from reports.result import Estimate

READING = (
    "A map that never moves may be so because it says nothing of the network, and one that moves may follow a network "
    "that was moved. So stability is read against faithfulness."
)
UNDER_ATTACK = (
    "Of the images whose map became that of another image under the strongest reliable attack on the method, the map "
    "is put to the same test on the attacked image itself. Above random order: the map still tells what the answer "
    "there needs, so the network was moved with it. Else it misleads. A map without meaning is above random order on "
    "half of the images, so one-sided 95 % bounds (Clopper-Pearson) are held against one half."
)
NO_ATTACK = "No method was attacked by a reliable attack that moves maps, so nothing is known of attacked maps."


def _numbers(readings: Readings, result: FaithfulAndStableFields) -> Fields:
    return {
        "tradeoffs": tuple(tradeoffs(readings, result)),
        "faithful_under_attack": tuple(faithful_under_attack(readings, result)),
    }


def under_attack_table(result: FaithfulAndStableFields) -> Table:
    """Return a table with a row for each method that is reliably attacked."""
    header = (
        "method",
        "strongest attack",
        "maps moved",
        "still above random order",
        "answer",
        "SRG above random order",
    )
    rows = (_under_attack_row(each, result.caveats) for each in result.faithful_under_attack)
    return Table("Are moved maps still faithful, on the attacked images?", header, tuple(rows))


def _under_attack_row(each: FaithfulUnderAttack, caveats: Caveats) -> tuple[Cell, ...]:
    bounds = "" if each.low is None else f"exact bounds {percent(each.low)} and {percent(each.high)}"
    share = estimate_cell(each.share) if each.moved else Cell(NONE, "no map moved")
    lead = each.lead
    measured = Cell(signed_value(lead), f"{signed_interval(lead)}\n{size(lead)}")
    return (
        method_heading(each.method, caveats),
        Cell(condition_in_words(each.condition)),
        Cell(f"{each.moved} of {each.asked}"),
        Cell(share.text, "\n".join(filter(None, (share.detail, bounds)))),
        Cell(each.answer, mark="failed" if each.answer == "below random order" else ""),
        measured if lead.value is not None else estimate_cell(lead) if each.moved else Cell(NONE),
    )


def tradeoff_table(result: FaithfulAndStableFields) -> Table:
    """Return the numbers of the plane."""
    rows = (_tradeoff_row(each, result.caveats) for each in result.tradeoffs)
    caption = "SRG, and calibrated stability under the strongest reliable attack on the method (95 % intervals)."
    return Table(caption, ("method", "SRG", "stability", "attack"), tuple(rows))


def _tradeoff_row(each: Tradeoff, caveats: Caveats) -> tuple[Cell, ...]:
    stability = Cell("not measured", each.reason) if each.stability is None else estimate_cell(each.stability)
    return (
        method_heading(each.method, caveats),
        estimate_cell(each.srg),
        stability,
        Cell(condition_in_words(each.condition)),
    )


def misleading_sentences(result: FaithfulAndStableFields) -> Iterator[str]:
    """Yield what was decided of attacked maps."""
    for answer, words in (
        ("below random order", "Attacked maps mislead"),
        ("above random order", "Attacked maps still tell what the answer needs"),
    ):
        found = [each for each in result.faithful_under_attack if each.answer == answer]
        if found:
            told = enumeration(
                f"{result.title_of(each.method)} ({percent(each.share.value)} above random order, n = {each.share.n})"
                for each in found
            )
            yield f"{words}: {told}."


def _outsiders(result: FaithfulAndStableFields) -> Iterator[str]:
    """Yield, for each reason, the methods that have no place in the plane."""
    outside = [each for each in result.tradeoffs if each.reason]
    for reason in dict.fromkeys(each.reason for each in outside):
        names = enumeration(method_title(each.method) for each in outside if each.reason == reason)
        yield f"Not in the figure: {names}: {reason}."


def _body(result: FaithfulAndStableFields, drawn: Pictures) -> Mapping[str, Any]:
    if not result.tradeoffs:
        return {"paragraphs": (NOT_ASKED,), "exhibits": (), "items": ()}
    attacked = result.faithful_under_attack
    told = (UNDER_ATTACK, *misleading_sentences(result)) if attacked else (NO_ATTACK,)
    tables = (under_attack_table(result),) if attacked else ()
    return {
        "paragraphs": (READING, *told),
        "exhibits": (Exhibit(drawn.get("pareto"), (tradeoff_table(result),)), *(Exhibit(None, (e,)) for e in tables)),
        "items": tuple(_outsiders(result)),
    }


def _frames(result: FaithfulAndStableFields) -> Mapping[str, pd.DataFrame]:
    places = (
        {
            "method": each.method,
            "is_control": each.is_control,
            "condition": each.condition,
            "reason": each.reason,
            "is_at_floor": each.is_at_floor,
            **_with_prefix("srg", each.srg),
            **(_with_prefix("stability", each.stability) if each.stability else {}),
        }
        for each in result.tradeoffs
    )
    attacked = (
        {
            **each.model_dump(exclude={"share", "lead"}),
            **_with_prefix("share", each.share),
            **_with_prefix("lead", each.lead),
        }
        for each in result.faithful_under_attack
    )
    return {
        "faithful-and-stable": frame_of_rows(places, ("method",)),
        "faithful-under-attack": frame_of_rows(attacked, ("method", "condition")),
    }


def _with_prefix(name: str, estimate: Estimate) -> dict[str, object]:
    return {f"{name}_{key}": value for key, value in fields_of(estimate).items()}


FAITHFUL_AND_STABLE: Section[FaithfulAndStableFields] = Section(
    id="faithful_and_stable",
    title="Faithful and stable",
    heading="Faithful and stable at once?",
    body=_body,
    numbers=_numbers,
    frames=_frames,
    figures=tradeoff_figures,
    summary_tables=lambda result: [under_attack_table(result)] if result.faithful_under_attack else [],
)
