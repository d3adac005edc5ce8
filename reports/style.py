"""One colour and one shape per method, the same in every figure; controls are grey."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from srd.registry import ATTRIBUTORS

# Each at least 3:1 against white; neighbours differ in lightness, so that they stay apart for the colour blind.
# Their number and that of the markers have no common factor: as many pairs as their product, neighbours differ in both.
COLOURS = ("#0072b2", "#d55e00", "#00795b", "#8f3d97", "#7a5c00", "#c2185b", "#2f8fb3", "#5a3fc0")
MARKERS = ("o", "s", "^", "D", "v", "*", "p")
GREYS = ("#6b6b6b", "#8f8f8f")
CONTROL_MARKERS = ("X", "P", "h")
LAYER_MARKERS = ("<", ">", "d", "H", "8")
INK = "#1f2328"
Look = dict[str, Any]
"""Colour and marker, as matplotlib takes them."""

RC: dict[Any, Any] = {
    "svg.hashsalt": "srd-audit",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "axes.edgecolor": "#6b6b6b",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.dpi": 100,
    "path.simplify": False,
}


def look(method: str) -> Look:
    """Colour and marker of a method; at a layer, the method's colour and a marker of the layer's number."""
    base, at, layer = method.partition("@")
    if at:
        number = int(next(reversed(re.findall(r"\d+", layer)), 0))
        return {"color": look(base)["color"], "marker": LAYER_MARKERS[number % len(LAYER_MARKERS)]}
    is_control = ATTRIBUTORS[method].family == "control"
    kin = [name for name, entry in ATTRIBUTORS.items() if (entry.family == "control") == is_control]
    return look_at(kin.index(method), is_control)


def look_at(position: int, is_control: bool) -> Look:
    """Colour and marker of the method at a position among the controls, or among the others."""
    colours, markers = (GREYS, CONTROL_MARKERS) if is_control else (COLOURS, MARKERS)
    return {"color": colours[position % len(colours)], "marker": markers[position % len(markers)]}


@contextmanager
def drawing() -> Iterator[None]:
    """The style of all figures; matplotlib is left as found."""
    with sns.axes_style("whitegrid"), mpl.rc_context(RC):  # type: ignore[no-untyped-call]
        yield


def despine(axes: Axes) -> None:
    """Takes away the frame above and to the right."""
    sns.despine(ax=axes)  # type: ignore[no-untyped-call]


def svg(figure: Figure) -> bytes:
    """A figure as SVG, the same bytes each time."""
    buffer = BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()
