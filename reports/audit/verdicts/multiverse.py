"""The multiverse: each verdict again under every setting that was declared beforehand.

References
----------
Steegen, Tuerlinckx, Gelman, Vanpaemel 2016.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Outcome
from reports.audit.verdicts.evidence import BASE, Evidence, Setting
from reports.audit.verdicts.judging import Judge, MethodVerdict
from reports.result import IMAGE_SETS, ResultModel
from srd.registry import METRICS

SIMILARITIES = ("pearson", "coarse_pearson", "ssim", "top_k_near")
MISS_FACTORS = (0.8, 1.0, 1.2)
"""Of a rate of at least 0.9, these allow 8, 10 and 12 % of the images to miss."""
FILLS = {"narrow_blur": "side/30", "blur": "side/20", "wide_blur": "side/15"}
"""Fill of removed pixels -> the sigma of its Gaussian."""
FRAGILE = 0.8
"""A verdict that fewer of the settings give is called fragile."""


class Multiverse(ResultModel):
    """The settings that give the verdict of a method, counted, and the single choices that turn it."""

    agreeing: int
    settings: int
    turned_by: tuple[str, ...]
    """Choices that turn the verdict when they alone are made otherwise, with the outcome that they give."""

    @property
    def is_fragile(self) -> bool:
        """Return whether fewer than 80 % of the settings give the verdict."""
        return self.agreeing < FRAGILE * self.settings


def declared_settings(similarities: Iterable[str], fills: Iterable[str]) -> tuple[Setting, ...]:
    """Return the settings whose similarity and fill the run has measured; the one that decides comes first."""
    measured, removed = set(similarities), {*fills, BASE.fill}
    choices = product(
        (name for name in SIMILARITIES if name in measured), IMAGE_SETS, MISS_FACTORS,
        (name for name in FILLS if name in removed),
    )  # fmt: skip
    others = [each for each in (Setting(*choice) for choice in choices) if each != BASE]
    return (BASE, *others)


def explore(
    evidence: Evidence, criteria: Sequence[Criterion], verdicts: Sequence[MethodVerdict]
) -> dict[str, Multiverse]:
    """Return the multiverse of each verdict, by method."""
    settings = declared_settings(evidence.readings.similarities, evidence.readings.qualities.fills)
    methods = [verdict.method for verdict in verdicts]
    judge = Judge(evidence, criteria)
    outcomes = {setting: {each.method: each.outcome for each in judge.judge(methods, setting)} for setting in settings}
    return {verdict.method: _multiverse(verdict, outcomes) for verdict in verdicts}


def _multiverse(verdict: MethodVerdict, outcomes: dict[Setting, dict[str, Outcome]]) -> Multiverse:
    given = {setting: each[verdict.method] for setting, each in outcomes.items()}
    turned = [
        f"{choice}: {outcome}" for setting, outcome in given.items()
        if outcome != verdict.outcome and (choice := _single_choice(setting))
    ]  # fmt: skip
    return Multiverse(
        agreeing=sum(outcome == verdict.outcome for outcome in given.values()),
        settings=len(given),
        turned_by=tuple(turned),
    )


def _single_choice(setting: Setting) -> str:
    """Return the choice in words, if a setting makes only one choice otherwise."""
    if replace(setting, similarity=BASE.similarity) == BASE:
        return f"likeness of maps by {METRICS[setting.similarity].title}"
    if replace(setting, images=BASE.images) == BASE:
        return f"images: {setting.images}"
    if replace(setting, miss_factor=BASE.miss_factor) == BASE:
        return f"{setting.miss_factor:g} times the misses allowed"
    if replace(setting, fill=BASE.fill) == BASE:
        return f"blur of {FILLS[setting.fill]}"
    return ""
