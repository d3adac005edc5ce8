"""Stability against strength: one panel per perturbation, one row per method."""

from collections.abc import Iterator
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from attacks.registry import PERTURBATIONS
from reports import frames
from reports.gallery import slug
from reports.marks import Picture, errors, extent, grid, label_methods, name_families, row_ends, unique, values_in_words
from reports.measurements import IMAGES, unit
from reports.result import AuditResult, Images
from reports.style import look, svg
from reports.wording import images_in_words, method_title
from srd.registry import METRICS

COLUMNS = 5  # panels in a row, at most
SPREAD = 0.6  # of the row of a method, shared by the strengths


def stability_name(similarity: str, images: str) -> str:
    """Of the picture of one similarity and set of images."""
    return f"stability-{slug(similarity)}-{slug(images)}"


def stability(result: AuditResult) -> Iterator[Picture]:
    """One picture per similarity and set of images."""
    everything = frames.own(frames.stability(result))
    for similarity in unique(everything["similarity"]):
        for images in IMAGES:
            frame = everything[(everything["similarity"] == similarity) & (everything["images"] == images)]
            if not frame["value"].isna().all():
                yield _picture(frame, similarity, images)


def _picture(frame: pd.DataFrame, similarity: str, images: Images) -> Picture:
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)}."
    if frame.groupby("name")["strength"].nunique().max() > 1:
        caption += " The marks of a method are of growing strength from top to bottom."
    if (frame["against"] != "").any():
        caption += " Under an attack on explanations each method is attacked itself (white box)."
    name, alt = stability_name(similarity, images), f"{caption} {_strongest_in_words(frame)}."
    return Picture(name, svg(_figure(frame, similarity)), caption, alt)


def _figure(frame: pd.DataFrame, similarity: str) -> Figure:
    names, methods = unique(frame["name"]), unique(frame["method"])
    height = ceil(len(names) / COLUMNS)
    width = ceil(len(names) / height)
    strengths = frame.groupby("name")["strength_text"].nunique().max()
    size = (2.8 + 1.85 * width, height * (0.8 + 0.15 * strengths + (0.2 + 0.09 * strengths) * len(methods)))
    figure = Figure(figsize=size, layout="constrained")
    panels = grid(figure, width, len(names))
    for axes, name in zip(panels, names, strict=True):
        _panel(axes, frame[frame["name"] == name].sort_values("strength", kind="stable"), methods)
    for axes in row_ends(panels, width):
        name_families(axes, methods)
    lowest = float(np.nanmin([0.0, frame["value"].min(), frame["low"].astype(float).min()]))
    panels[0].set_xlim(lowest - 0.05, 1.05)
    panels[0].locator_params(axis="x", nbins=4)
    panels[0].xaxis.set_major_formatter("{x:g}")
    figure.supxlabel(f"{unit(similarity)} (95 % interval)", fontsize=9.5)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, methods: list[str]) -> None:
    strengths = unique(frame["strength_text"])
    offsets = dict(zip(strengths, _spread(len(strengths)), strict=True))
    for row, method in enumerate(methods):
        part = frame[frame["method"] == method]
        y = row + part["strength_text"].map(offsets).to_numpy(float)
        axes.errorbar(part["value"], y, xerr=errors(part), **look(method), markersize=5, linewidth=0.9, elinewidth=1.3)
    label_methods(axes, methods)
    axes.set_title("\n".join(_heading(frame)), fontsize=9)


def _heading(frame: pd.DataFrame) -> Iterator[str]:
    first = frame.iloc[0]
    entry = PERTURBATIONS[str(first["name"])]
    yield first["title"] + "," * bool(first["against"])
    if first["against"]:
        yield "method itself"
    yield entry.constraint
    for text, part in frame.groupby("strength_text", sort=False):
        yield f"{text}: n = {extent(part['n'])}"


def _spread(count: int) -> NDArray[np.float64]:
    """Where the strengths stand in the row of a method, the least on top."""
    return np.linspace(-SPREAD / 2, SPREAD / 2, count) if count > 1 else np.zeros(1)


def _strongest_in_words(frame: pd.DataFrame) -> str:
    """The values at the largest strength of each perturbation that a method met."""
    strongest = frame[frame["strength"] == frame.groupby(["name", "method"])["strength"].transform("max")]
    return "; ".join(
        f"{part['title'].iloc[0]} at {part['strength_text'].iloc[0]}: {values_in_words(part, 'method', method_title)}"
        for _, part in strongest.groupby(["name", "strength"], sort=False)
    )
