"""The result's numbers as tidy frames: what figures are drawn from and what the CSV files hold."""

from collections.abc import Iterable, Mapping

import pandas as pd

from reports.facts import Part
from reports.result import AuditResult, Estimate
from reports.transfer import EXPLANATION

ESTIMATE = tuple(Estimate.model_fields)


def frames(result: AuditResult) -> dict[str, pd.DataFrame]:
    """Every table of numbers, by the name of its file."""
    return {
        "accuracy": accuracy(result),
        "stability": stability(result),
        "references": _flat(result.references),
        "transfer": transfer(result),
        "localisation": _flat(result.quality),
    }


def accuracy(result: AuditResult) -> pd.DataFrame:
    """One row per entry of the perturbation axis and rate: accuracy, prediction kept."""
    rates = {"accuracy": "accuracy", "kept": "prediction kept"}
    rows = (
        {"condition": row.condition, "rate": name, **_estimate(getattr(row, field))}
        for row in result.accuracy
        for field, name in rates.items()
    )
    return _frame(rows, ("condition", "rate", *ESTIMATE))


def stability(result: AuditResult) -> pd.DataFrame:
    """One row per entry, method, similarity and set of images, with the facts of the entry."""
    facts = {each.id: each for each in result.conditions}
    frame = _flat(result.stability, ("condition", "method", "similarity", "images", *ESTIMATE))
    for name in ("name", "title", "family", "against", "strength", "strength_text"):
        frame.insert(1, name, [getattr(facts[condition], name) for condition in frame["condition"]])
    return frame


def own(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of `stability` without those where another method's explanation was attacked."""
    return frame[(frame["family"] != EXPLANATION) | (frame["against"] == frame["method"])]


def transfer(result: AuditResult) -> pd.DataFrame:
    """One row per cell of a transfer table."""
    rows = (
        {
            **{name: getattr(table, name) for name in ("attack", "strength_text", "similarity", "images")},
            **{name: getattr(row, name) for name in ("role", "condition", "attacked", "title")},
            **{name: getattr(cell, name) for name in ("evaluating", "white_box", "verdict")},
            **_estimate(cell.similarity),
            "why": cell.reason,
        }
        for table in result.transfer
        for row in table.rows
        for cell in row.cells
    )
    names = ("attack", "strength_text", "similarity", "images", "role", "condition", "attacked", "title", "evaluating")
    return _frame(rows, (*names, "white_box", "verdict", *ESTIMATE, "why"))


def _flat(parts: Iterable[Part], columns: Iterable[str] | None = None) -> pd.DataFrame:
    rows = ({**part.model_dump(exclude={"estimate"}), **_estimate(getattr(part, "estimate"))} for part in parts)  # noqa: B009
    return _frame(rows, columns)


def _frame(rows: Iterable[Mapping[str, object]], columns: Iterable[str] | None) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns) if columns else None)


def _estimate(estimate: Estimate) -> dict[str, object]:
    left_out = "; ".join(f"{count}: {why}" for why, count in estimate.excluded.items())
    return {**estimate.model_dump(exclude={"excluded"}), "excluded": left_out}
