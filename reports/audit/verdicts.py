"""The transfer tables, the verdicts on attacks on explanations, and the attacks that the summary describes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from attacks.registry import PERTURBATIONS
from reports.audit.estimates import COLUMNS, difference, fields_of, frame_of
from reports.audit.facts import EXPLANATION, PREDICTION, ConditionFacts, strongest_conditions
from reports.audit.readings import Readings
from reports.audit.searches import Check, SearchQuality
from reports.audit.stability import StabilityFields
from reports.formatting import method_title
from reports.result import IMAGE_SETS, MEASURE, Estimate, ImageSet, ResultModel

TransferRole = Literal["attacked method", "control", "attack on the prediction"]
Verdict = Literal["", "attack unreliable", "attack unchecked"]

CONTROLS = {"L-inf": "random_sign", "L2": "random_direction"}
"""Norm -> perturbation without aim, the control of equal size."""

Means = Mapping[tuple[str, str, str, ImageSet], Estimate]


class TransferCell(ResultModel):
    """A cell of a transfer table: the similarity of the clean and the manipulated maps of the evaluating method."""

    evaluating: str
    similarity: Estimate
    white_box: bool
    """Whether the evaluating method is the attacked method."""
    beyond_control: Estimate | None
    """White box only: mean over images of similarity under the control minus similarity under the attack.

    It is None for attacks that aim to keep the map.
    """
    verdict: Verdict
    reason: str


class TransferRow(ResultModel):
    """A row of a transfer table: the maps of all methods under one condition."""

    role: TransferRole
    condition: str
    attacked: str
    """Empty unless an explanation was attacked."""
    title: str
    cells: tuple[TransferCell, ...]


class TransferTable(ResultModel):
    """A transfer table: attacked method x evaluating method, for one attack, strength, similarity and set of images."""

    attack: str
    title: str
    strength: float
    strength_text: str
    similarity: str
    images: ImageSet
    rows: tuple[TransferRow, ...]


class TransferFields(StabilityFields):
    """Fields that the section adds to the result."""

    transfer: tuple[TransferTable, ...]
    searches: tuple[SearchQuality, ...]
    """Searches of the attacks on explanations."""
    evidence: dict[str, str]
    """Name of a value of a search -> its meaning."""


@dataclass(frozen=True)
class Headline:
    """A transfer table by correlation over all images, and the methods attacked at no larger strength."""

    table: TransferTable
    cells: tuple[TransferCell, ...]
    """Cells of these methods under the attack on themselves."""

    @property
    def attack(self) -> str:
        """Return the attack in words, such as `manipulation at 8/255`."""
        title = self.table.title
        return f"{title[:1].lower()}{title[1:]} at {self.table.strength_text}"


@dataclass(frozen=True)
class TableSetting:
    """The data that all cells of one transfer table share."""

    readings: Readings
    means: Means
    similarity: str
    images: ImageSet
    control: str | None
    """Condition of the control of equal size, if it is in the run."""
    checks: Mapping[str, tuple[Check, ...]]
    """Condition of each attack on explanations -> checks of its search."""


def transfers(
    readings: Readings, result: StabilityFields, searches: Iterable[SearchQuality]
) -> tuple[TransferTable, ...]:
    """Return a table for each attack on explanations, strength, similarity and set of images."""
    conditions = result.conditions
    means = {(row.condition, row.method, row.similarity, row.images): row.estimate for row in result.stability}
    checks = {search.condition: search.checks for search in searches}
    attacks = [facts for facts in conditions if facts.family == EXPLANATION]
    first_of_each = {(facts.name, facts.strength): facts for facts in reversed(attacks)}
    return tuple(
        _table(
            first, conditions, TableSetting(readings, means, similarity, images, _control(first, conditions), checks)
        )
        for first in reversed(first_of_each.values())
        for similarity in readings.similarities
        for images in IMAGE_SETS
    )


def judging_tables(result: TransferFields) -> tuple[TransferTable, ...]:
    """Return the transfer tables by which attacks are judged: those by correlation, over all images."""
    return tuple(table for table in result.transfer if table.similarity == MEASURE and table.images == "all")


def headlines(result: TransferFields) -> tuple[Headline, ...]:
    """Return the attacks that the summary describes, the largest strength first.

    For each kind of attack, every attacked method is in one of them.
    """
    hardest = {facts.id for facts in strongest_conditions(result.conditions)}
    found = (Headline(table, _white_box_cells(table, hardest)) for table in judging_tables(result))
    return tuple(sorted((each for each in found if each.cells), key=lambda each: -each.table.strength))


def _white_box_cells(table: TransferTable, conditions: set[str]) -> tuple[TransferCell, ...]:
    rows = (row for row in table.rows if row.condition in conditions)
    return tuple(cell for row in rows for cell in row.cells if cell.white_box)


def frame(result: TransferFields) -> pd.DataFrame:
    """Return a frame with a row for each cell of the transfer tables."""
    rows = (
        {
            **{name: getattr(table, name) for name in ("attack", "strength_text", "similarity", "images")},
            **{name: getattr(row, name) for name in ("role", "condition", "attacked", "title")},
            **{name: getattr(cell, name) for name in ("evaluating", "white_box", "verdict")},
            **fields_of(cell.similarity),
            "why": cell.reason,
        }
        for table in result.transfer
        for row in table.rows
        for cell in row.cells
    )
    names = ("attack", "strength_text", "similarity", "images", "role", "condition", "attacked", "title", "evaluating")
    return frame_of(rows, (*names, "white_box", "verdict", *COLUMNS, "why"))


def stronger_transfers(table: TransferTable) -> list[tuple[TransferRow, TransferCell]]:
    """Return the cells in which an attack on another method moves a map further than the attack on the method itself.

    Further means that the whole interval of the similarity lies below that of the white-box cell. Attacks that aim to
    keep the maps have no such cells.
    """
    if PERTURBATIONS[table.attack].keeps_map:
        return []
    attacks = [row for row in table.rows if row.role == "attacked method"]
    own = {cell.evaluating: cell.similarity for row in attacks for cell in row.cells if cell.white_box}
    cells = [(row, cell) for row in attacks for cell in row.cells if not cell.white_box and cell.evaluating in own]
    return [(row, cell) for row, cell in cells if _lies_below(cell.similarity, own[cell.evaluating])]


def _lies_below(a: Estimate, b: Estimate) -> bool:
    return a.high is not None and b.low is not None and a.high < b.low


def _norm(facts: ConditionFacts) -> str:
    return PERTURBATIONS[facts.name].norm or ""


def _is_of_equal_size(first: ConditionFacts, facts: ConditionFacts) -> bool:
    """Return whether both conditions have the same radius in the same norm, however it is written."""
    return _norm(first) == _norm(facts) and bool(np.isclose(first.strength, facts.strength, rtol=1e-6, atol=0))


def _control(first: ConditionFacts, conditions: Iterable[ConditionFacts]) -> str | None:
    same = (facts.id for facts in conditions if _is_control(facts) and _is_of_equal_size(first, facts))
    return next(same, None)


def _is_control(facts: ConditionFacts) -> bool:
    return facts.name in CONTROLS.values()


def _table(first: ConditionFacts, conditions: tuple[ConditionFacts, ...], setting: TableSetting) -> TransferTable:
    same_size = [facts for facts in conditions if _is_of_equal_size(first, facts)]
    attacked = [facts for facts in same_size if facts.name == first.name]
    beside = [facts for facts in same_size if _is_control(facts) or facts.family == PREDICTION]
    return TransferTable(
        attack=first.name,
        title=first.title,
        strength=first.strength,
        strength_text=first.strength_text,
        similarity=setting.similarity,
        images=setting.images,
        rows=tuple(_row(facts, setting) for facts in (*attacked, *beside)),
    )


def _row(facts: ConditionFacts, setting: TableSetting) -> TransferRow:
    return TransferRow(
        role=_role(facts),
        condition=facts.id,
        attacked=facts.against,
        title=method_title(facts.against) if facts.against else facts.title,
        cells=tuple(_cell(facts, method, setting) for method in setting.readings.methods),
    )


def _role(facts: ConditionFacts) -> TransferRole:
    if facts.against:
        return "attacked method"
    return "control" if _is_control(facts) else "attack on the prediction"


def _cell(facts: ConditionFacts, method: str, setting: TableSetting) -> TransferCell:
    is_white_box = facts.against == method
    aims_to_move = is_white_box and not PERTURBATIONS[facts.name].keeps_map
    beyond = _beyond_control(facts.id, method, setting) if aims_to_move else None
    verdict, reason = _verdict_on_attack(facts, beyond, setting) if is_white_box else ("", "")
    return TransferCell(
        evaluating=method,
        similarity=setting.means[facts.id, method, setting.similarity, setting.images],
        white_box=is_white_box,
        beyond_control=beyond,
        verdict=verdict,
        reason=reason,
    )


def _beyond_control(condition: str, method: str, setting: TableSetting) -> Estimate | None:
    """Return how much further the attack moves a map than the control, paired by image, if there is a control."""
    if setting.control is None:
        return None
    control, attacked = (setting.control, method), (condition, method)
    return difference(setting.readings, control, attacked, setting.similarity, setting.images)


def _verdict_on_attack(facts: ConditionFacts, beyond: Estimate | None, setting: TableSetting) -> tuple[Verdict, str]:
    """Judge an attack. If its search fails a check, it is unreliable, whatever it moved."""
    failed = [f"{check.name}: no, {check.detail}" for check in setting.checks[facts.id] if check.passed is False]
    if failed:
        return "attack unreliable", "; ".join(failed)
    return ("", "") if PERTURBATIONS[facts.name].keeps_map else _verdict_on_lead(beyond)


def _verdict_on_lead(beyond: Estimate | None) -> tuple[Verdict, str]:
    """Judge an attack by its lead over the random change: the whole interval must be above 0."""
    if beyond is None:
        return "attack unchecked", "no random change of this size in the run to compare with"
    if beyond.value is None:
        return "attack unchecked", beyond.reason
    if beyond.low is None:
        lead = f"lead over the random change {beyond.value:+.3f} at n = {beyond.n}"
        return "attack unreliable", f"{lead}, {beyond.reason}"
    if beyond.low > 0:
        return "", ""
    return "attack unreliable", (
        f"does not move the map more than a random change of the same size: lead {beyond.value:+.3f} "
        f"[{beyond.low:+.3f}, {beyond.high:+.3f}], n = {beyond.n}"
    )
