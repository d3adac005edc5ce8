"""Stability against strength: one panel per perturbation, one line per method."""

from collections.abc import Iterator
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attacks.registry import PERTURBATIONS
from reports import frames
from reports.gallery import slug
from reports.marks import Picture, errors, extent, legend, unique, values_in_words
from reports.measurements import IMAGES, unit
from reports.result import AuditResult, Images
from reports.style import despine, look, svg
from reports.wording import images_in_words, method_title
from srd.registry import METRICS

COLUMNS = 3
SPREAD = 0.72  # of the space between two strengths, shared by the methods


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
    caption = f"{METRICS[similarity].title} of clean and perturbed maps against strength, {images_in_words(images)}."
    if (frame["against"] != "").any():
        caption += " Under an attack on explanations each method is attacked itself (white box)."
    name, alt = stability_name(similarity, images), f"{caption} {_strongest_in_words(frame)}."
    return Picture(name, svg(_figure(frame, similarity)), caption, alt)


def _figure(frame: pd.DataFrame, similarity: str) -> Figure:
    names, methods = unique(frame["name"]), unique(frame["method"])
    columns = min(COLUMNS, len(names))
    rows = ceil(len(names) / columns)
    figure = Figure(figsize=(1.2 + 3.6 * columns, 0.8 + 2.8 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False, gridspec_kw={"hspace": 0.08})
    for axes, name in zip(panels.flat, names, strict=False):
        _panel(axes, frame[frame["name"] == name], methods)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel(unit(similarity))
    lowest = float(np.nanmin([0.0, frame["value"].min(), frame["low"].astype(float).min()]))
    panels[0, 0].set_ylim(lowest - 0.03, 1.03)
    figure.legend(*legend(methods), loc="outside lower center", ncols=min(4, len(methods)), frameon=False)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, methods: list[str]) -> None:
    strengths = frame.drop_duplicates("strength").sort_values("strength")
    positions = {value: place for place, value in enumerate(strengths["strength"])}
    offsets = np.linspace(-SPREAD / 2, SPREAD / 2, len(methods)) if len(methods) > 1 else np.zeros(1)
    for offset, method in zip(offsets, methods, strict=True):
        part = frame[frame["method"] == method].sort_values("strength")
        x = part["strength"].map(positions).to_numpy(float) + offset
        axes.errorbar(x, part["value"], yerr=errors(part), **look(method), markersize=5, linewidth=0.9, elinewidth=1.3)
    counts = [extent(frame[frame["strength"] == value]["n"]) for value in strengths["strength"]]
    labels = [f"{text}\nn = {n}" for text, n in zip(strengths["strength_text"], counts, strict=True)]
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.grid(visible=False, axis="x")
    _headings(axes, frame)
    despine(axes)


def _headings(axes: Axes, frame: pd.DataFrame) -> None:
    first = frame.iloc[0]
    entry = PERTURBATIONS[str(first["name"])]
    axes.set_title(f"{first['title']}{', of the method itself' if first['against'] else ''}")
    axes.set_xlabel(f"{entry.strength}{f' ({entry.norm})' if entry.norm else ''}, pixels in [0, 1]")


def _strongest_in_words(frame: pd.DataFrame) -> str:
    """The values at the largest strength of each perturbation that a method met."""
    strongest = frame[frame["strength"] == frame.groupby(["name", "method"])["strength"].transform("max")]
    return "; ".join(
        f"{part['title'].iloc[0]} at {part['strength_text'].iloc[0]}: {values_in_words(part, 'method', method_title)}"
        for _, part in strongest.groupby(["name", "strength"], sort=False)
    )
