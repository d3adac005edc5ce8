"""Colours and markers, the same in every figure: a hue per family, a shade and a shape per method, grey controls."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, get_args

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from reports.families import CONTROL, family_of
from srd.entries import Family
from srd.registry import ATTRIBUTORS, SRD

# Degrees in HUSL, one for each family. Neighbours differ also for readers with colour blindness.
HUES = (18, 255, 130, 300, 80, 225)
# HUSL's lightness alone sets the contrast with white: at 60 it is 3:1, at 46 it is 5:1.
SHADES = (46, 60, 32, 53, 39)
# The numbers of markers and of shades have no common factor, so that all pairs occur and neighbours differ in both.
MARKERS = ("o", "s", "^", "D", "v", "*", "p")
SATURATIONS: dict[str, int] = {SRD.family: 95, CONTROL: 0}
USUAL_SATURATION = 70
LAYER_MARKERS = ("<", ">", "d", "H", "8")
GREY = "#6b6b6b"
INK = "#1f2328"
Look = dict[str, Any]
"""Colour and marker, as keyword arguments of matplotlib."""

RC: dict[Any, Any] = {
    "svg.hashsalt": "srd-audit",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "axes.edgecolor": GREY,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.dpi": 100,
    "path.simplify": False,
}


def look(method: str) -> Look:
    """Return colour and marker of a method. At a layer, the marker is chosen by the layer's number."""
    base, at, layer = method.partition("@")
    own = family_of(base)
    found = look_at(own, [name for name in ATTRIBUTORS if family_of(name) == own].index(base))
    if at:
        number = int(next(reversed(re.findall(r"\d+", layer)), 0))
        found["marker"] = LAYER_MARKERS[number % len(LAYER_MARKERS)]
    return found


def look_at(family: str, place: int) -> Look:
    """Return colour and marker of the method at a place in a family."""
    return {"color": colour(family, SHADES[place % len(SHADES)]), "marker": MARKERS[place % len(MARKERS)]}


def colour(family: str, lightness: int = SHADES[0]) -> str:
    """Return the colour of a family. Other values of `lightness` give the shades of its methods."""
    hue, saturation = HUES[get_args(Family).index(family) % len(HUES)], SATURATIONS.get(family, USUAL_SATURATION)
    (found,) = sns.husl_palette(1, h=hue / 360, s=saturation / 100, l=lightness / 100)  # type: ignore[no-untyped-call]
    return to_hex(found)


POINTS_PER_INCH = 72  # the resolution at which SVG is laid out


@contextmanager
def figure_style() -> Iterator[None]:
    """Set the style of all figures, and restore matplotlib's own at the end."""
    with mpl.rc_context():
        mpl.rcdefaults()  # else a file of the user's would change the page
        with sns.axes_style("whitegrid"), mpl.rc_context(RC):  # type: ignore[no-untyped-call]
            yield


def despine(axes: Axes) -> None:
    """Remove the frame above and to the right."""
    sns.despine(ax=axes)  # type: ignore[no-untyped-call]


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG, the same bytes each time.

    The layout is made once: matplotlib would make it twice, each time with a drawing of the whole figure.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        figure.set_dpi(POINTS_PER_INCH)
        engine.execute(figure)
        figure.set_layout_engine("none")
    buffer = BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()
