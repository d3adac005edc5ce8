"""Accuracy against strength: a panel for each scale on which a perturbation was tried at several strengths."""

from collections.abc import Iterator, Mapping

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attacks.registry import PERTURBATIONS
from pipeline.conditions import CLEAN
from reports.marks import Picture, short
from reports.result import AuditResult, Estimate
from reports.style import MARKERS, despine, svg

Curve = dict[float, Estimate]
"""Strength -> accuracy; strength 0 is the clean images."""

LEAST = 2  # strengths beside 0 that make a curve


def accuracy_curve(result: AuditResult) -> Iterator[Picture]:
    """One picture, if any perturbation was tried at several strengths."""
    panels = _panels(result)
    if not panels:
        return
    figure = Figure(figsize=(1 + 4.5 * len(panels), 3.6), layout="constrained")
    for axes, (scale, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _draw(axes, curves)
        axes.set(xlabel=scale, ylabel="share with the right class", ylim=(-0.03, 1.03))
    caption = "Accuracy against the strength of each perturbation, from the clean images on (95 % Wilson intervals)."
    told = "; ".join(_told(name, curve) for curves in panels.values() for name, curve in curves.items())
    yield Picture("accuracy-curve", svg(figure), caption, f"Share of images with the right class: {told}.")


def _panels(result: AuditResult) -> dict[str, dict[str, Curve]]:
    """Scale of the strengths -> perturbation -> curve; attacks on explanations aim at no wrong class."""
    shares = {row.condition: row.accuracy for row in result.accuracy if row.accuracy.value is not None}
    panels: dict[str, dict[str, Curve]] = {}
    for facts in result.conditions:
        if facts.strength_text and not facts.against and {facts.id, CLEAN} <= shares.keys():
            curves = panels.setdefault(PERTURBATIONS[facts.name].constraint, {})
            curve = curves.setdefault(facts.title, {0.0: shares[CLEAN]})
            curve[facts.strength] = shares[facts.id]
    long = {scale: {n: c for n, c in curves.items() if len(c) > LEAST} for scale, curves in panels.items()}
    return {scale: curves for scale, curves in long.items() if curves}


def _draw(axes: Axes, curves: Mapping[str, Curve]) -> None:
    colours = sns.color_palette("colorblind", len(curves))  # type: ignore[no-untyped-call]
    for number, ((name, curve), colour) in enumerate(zip(curves.items(), colours, strict=True)):
        ordered = sorted(curve.items())
        strength, value, low, high = np.array([(s, e.value, e.low, e.high) for s, e in ordered], np.float64).T
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(strength, value, color=colour, marker=marker, markersize=5, linewidth=1.2, label=name)
        axes.fill_between(strength, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xlim(left=0)
    axes.legend(fontsize=7.5, frameon=False)
    despine(axes)


def _told(name: str, curve: Curve) -> str:
    return f"{name}: " + ", ".join(f"{strength:.3g} {short(each.value)}" for strength, each in sorted(curve.items()))
