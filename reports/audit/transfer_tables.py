"""The transfer tables, which quote the verdicts on attacks, and the attacks that the summary describes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from attacks.registry import PERTURBATIONS
from reports.audit.calibration import CalibrationFields
from reports.audit.estimates import COLUMNS, fields_of, frame_of
from reports.audit.facts import EXPLANATION, PREDICTION, ConditionFacts, strongest_conditions
from reports.audit.readings import Readings
from reports.audit.reliability import AttackVerdict, is_control, is_of_equal_size, lead_over_control
from reports.audit.searches import SearchQuality
from reports.audit.stability import StabilityFields
from reports.formatting import method_title
from reports.result import IMAGE_SETS, MEASURE, Estimate, ImageSet, ResultModel, Verdict, shown_metrics

TransferRole = Literal["attacked method", "control", "attack on the prediction"]

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
    """White box only: the verdict on the attack, the same in every table."""
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


class TransferFields(CalibrationFields, StabilityFields):
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
    conditions: tuple[ConditionFacts, ...]
    verdicts: Mapping[str, AttackVerdict]
    """Condition of each attack on explanations -> the verdict on it."""


def transfers(
    readings: Readings, result: StabilityFields, verdicts: Iterable[AttackVerdict]
) -> tuple[TransferTable, ...]:
    """Return a table for each attack on explanations, strength, similarity that is shown, and set of images."""
    conditions = result.conditions
    means = {(row.condition, row.method, row.similarity, row.images): row.estimate for row in result.stability}
    by_condition = {each.condition: each for each in verdicts}
    attacks = [facts for facts in conditions if facts.family == EXPLANATION]
    first_of_each = {(facts.name, facts.strength): facts for facts in reversed(attacks)}
    return tuple(
        _table(first, TableSetting(readings, means, similarity, images, conditions, by_condition))
        for first in reversed(first_of_each.values())
        for similarity in shown_metrics(readings.similarities)
        for images in IMAGE_SETS
    )


def _tables_of_verdicts(result: TransferFields) -> tuple[TransferTable, ...]:
    """Return the transfer tables by the measure of the verdicts: correlation, over all images."""
    return tuple(table for table in result.transfer if table.similarity == MEASURE and table.images == "all")


def headlines(result: TransferFields) -> tuple[Headline, ...]:
    """Return the attacks that the summary describes, the largest strength first.

    For each kind of attack, every attacked method is in one of them.
    """
    hardest = {facts.id for facts in strongest_conditions(result.conditions)}
    found = (Headline(table, _white_box_cells(table, hardest)) for table in _tables_of_verdicts(result))
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


def _table(first: ConditionFacts, setting: TableSetting) -> TransferTable:
    same_size = [facts for facts in setting.conditions if is_of_equal_size(first, facts)]
    attacked = [facts for facts in same_size if facts.name == first.name]
    beside = [facts for facts in same_size if is_control(facts) or facts.family == PREDICTION]
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
    return "control" if is_control(facts) else "attack on the prediction"


def _cell(facts: ConditionFacts, method: str, setting: TableSetting) -> TransferCell:
    is_white_box = facts.against == method
    judged = setting.verdicts[facts.id] if is_white_box else None
    return TransferCell(
        evaluating=method,
        similarity=setting.means[facts.id, method, setting.similarity, setting.images],
        white_box=is_white_box,
        beyond_control=_beyond_control(facts, setting) if is_white_box else None,
        verdict=judged.verdict if judged else "",
        reason=judged.reason if judged else "",
    )


def _beyond_control(facts: ConditionFacts, setting: TableSetting) -> Estimate | None:
    if PERTURBATIONS[facts.name].keeps_map:
        return None
    return lead_over_control(setting.readings, facts, setting.conditions, setting.similarity, setting.images)
