"""The figure at the top of the page: how far the maps of each method were moved, by noise and by who wants to."""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.audit.calibration import CalibratedStability, CalibrationFields
from reports.audit.facts import NOISE, ConditionFacts, aims_to_move_maps
from reports.audit.reliability import verdicts_of
from reports.formatting import Caveats, condition_in_words
from reports.plot_primitives import (
    Picture,
    caveat_note,
    draw_points,
    label_methods,
    name_families,
    values_in_words,
)
from reports.style import GREY, INK, Look, look, svg

COLUMNS = ("method", "kind", "condition", "value", "low", "high", "n")
LOOKS: Mapping[str, Look] = {"noise": {"marker": "D", "color": GREY}, "attack": {"marker": "v"}}
LABELS = {
    "noise": "under the noise that moved them most: the control",
    "attack": "under the reliable attack on the method that moved them most",
}
CAPTION = (
    "How far the maps of each method were moved. Higher is better: 1 = unmoved, 0 = as unlike as the map of another "
    "image, or more so. Lines are 95 % intervals."
)


def headline_frame(result: CalibrationFields) -> pd.DataFrame:
    """Return, for each method, its calibrated stability under the noise and the reliable attack that moved it most."""
    facts = {each.id: each for each in result.conditions}
    doubts = verdicts_of(result)
    rows = []
    for method in result.methods:
        own = [each for each in result.calibrated if each.method == method.name and _place(each) is not None]
        kinds = {
            "noise": [each for each in own if facts[each.condition].family == NOISE],
            "attack": [each for each in own if _is_reliable(facts[each.condition], doubts)],
        }
        rows += [_row(kind, min(cells, key=lambda each: _place(each) or 0.0)) for kind, cells in kinds.items() if cells]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _is_reliable(facts: ConditionFacts, doubts: Mapping[tuple[str, str], str]) -> bool:
    return aims_to_move_maps(facts) and doubts.get((facts.id, facts.against)) == ""


def _place(each: CalibratedStability) -> float | None:
    """Return where a value is drawn: at 0 if the maps are no more alike than those of two images."""
    return 0.0 if each.is_at_floor else each.estimate.value


def _row(kind: str, each: CalibratedStability) -> dict[str, object]:
    found = each.estimate
    return {
        "method": each.method, "kind": kind, "condition": each.condition, "value": _place(each),
        "low": found.low, "high": found.high, "n": found.n,
    }  # fmt: skip


def headline_picture(result: CalibrationFields) -> Iterator[Picture]:
    """Draw the figure, unless nothing was measured."""
    frame = headline_frame(result)
    if frame.empty:
        return
    methods = [method.name for method in result.methods if method.name in set(frame["method"])]
    kinds = [kind for kind in LABELS if kind in set(frame["kind"])]
    told = "; ".join(
        f"{LABELS[kind]}: {values_in_words(frame[frame['kind'] == kind], 'method', result.title_of)}" for kind in kinds
    )
    unattacked = [name for name in methods if name not in set(frame[frame["kind"] == "attack"]["method"])]
    caption = f"{CAPTION}{_conditions_in_words(frame)}{caveat_note(methods, result.caveats)}"
    figure = _figure(frame, methods, unattacked, result.caveats)
    yield Picture("headline", svg(figure), caption, f"Calibrated stability {told}.", data="headline")


def _conditions_in_words(frame: pd.DataFrame) -> str:
    names = dict.fromkeys(condition_in_words(name) for name in frame[frame["kind"] == "noise"]["condition"])
    return f" Noise: {'; '.join(names)}." if names else ""


def _note_no_attack(axes: Axes, row: int, drawn: pd.DataFrame) -> None:
    """Say that a method has no reliable attack, on the side of its markers that has room."""
    ends = drawn[["value", "low", "high"]].astype(float)
    low, high = float(ends.min().min()), float(ends.max().max())
    x, side = (high + 0.02, "left") if high < 0.6 else (low - 0.02, "right")
    axes.text(x, row, "no reliable attack", ha=side, va="center", fontsize=8, color=GREY)


def _figure(frame: pd.DataFrame, methods: list[str], unattacked: Iterable[str], caveats: Caveats) -> Figure:
    figure = Figure(figsize=(9, 1.3 + 0.38 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for kind, part in frame.groupby("kind", sort=False):
        for method in part["method"]:
            style = {"color": look(method)["color"], **LOOKS[str(kind)]}
            draw_points(axes, part[part["method"] == method], methods, "method", 0.0, style)
    for method in unattacked:
        _note_no_attack(axes, methods.index(method), frame[frame["method"] == method])
    axes.axvline(0, color=GREY, linewidth=1, linestyle="--")
    label_methods(axes, methods, caveats)
    name_families(axes, methods)
    axes.set_xlim(min(-0.03, float(frame[["value", "low"]].astype(float).min().min()) - 0.03), 1.03)
    axes.set_xlabel("calibrated stability, higher is better")
    handles = [Line2D([], [], linestyle="none", **{"color": INK, **LOOKS[kind]}) for kind in LABELS]
    figure.legend(handles, list(LABELS.values()), loc="outside upper left", ncols=1, frameon=False)
    return figure
