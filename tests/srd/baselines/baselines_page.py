"""docs/baselines.md, as `make docs` writes it."""

from collections.abc import Callable

from comparisons import COMPARISONS, EQUAL, SUBJECTS, Comparison, deviation
from measured_table import decade, origin, row

from srd.registry import ATTRIBUTORS

NAMED = 3
"""Cells of a row that are no figures."""

HEADER = f"""\
# The baselines beside the libraries

Written by `make docs`. Figures of another processor are others; on each it is tested which are deviations
(`tests/srd/baselines/test_libraries.py`).

{{origin}}

Largest difference to the library's map over its largest value, float32, before any scaling for display. Layer of class
activation maps: the last activation with more than one position. Demo networks with demo images; shrunken torchvision
networks of random weights, with noise. FullGrad, Grad-CAM++ and XGrad-CAM explain the logits times 1000, beside which
the constants that pytorch-grad-cam adds to gradients vanish. SmoothGrad and Expected Gradients are held to captum's
gradients at the points that they draw; RISE, attention rollout and generic attention, which these libraries do
not have, to slow definitions (`tests/srd/baselines`). DeepLIFT: equals in a window of a max pooling share here, while
captum takes the first; so in float32, where numbers are equal by rounding, and from a uniform baseline, of which nearly
all windows hold equals, the maps differ. A deviation above {EQUAL:g} has its cause below the table.

| method | library | what of it | {" | ".join(SUBJECTS)} |
|---|---|---|{"---|" * len(SUBJECTS)}
"""


def figures(comparison: Comparison) -> list[str]:
    """The cells that are measured."""
    deviations = (deviation(comparison, name) for name in SUBJECTS)
    return [decade(each, 1e-6) if each < EQUAL else f"**{each:.2g}**" for each in deviations]


def page(figures: Callable[[Comparison], list[str]] = figures) -> str:
    rows = (row(ATTRIBUTORS[each.method].title, each.library, each.what, *figures(each)) for each in COMPARISONS)
    return HEADER.format(origin=origin("torch", "captum", "grad-cam", "zennit")) + "".join(rows) + causes()


def causes() -> str:
    deviating = [(each, name, cause) for each in COMPARISONS for name, cause in (each.deviates or {}).items()]
    lines = [f"- {ATTRIBUTORS[each.method].title}, {each.what}, {name}: {cause}.\n" for each, name, cause in deviating]
    return "\n" + "".join(lines)
