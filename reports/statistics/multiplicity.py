"""Several comparisons at once: p-values adjusted in one family that is declared beforehand (Holm 1979)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports.result import ResultModel
from reports.statistics.intervals import CONFIDENCE, Values
from reports.statistics.paired import least_p

LEVEL = 1 - CONFIDENCE


@dataclass(frozen=True)
class Family:
    """The comparisons that are judged together. All others are exploratory."""

    comparisons: tuple[str, ...]
    why: str
    """A sentence on why these, which the report prints."""


@dataclass(frozen=True)
class PValue:
    """The p-value of a comparison and the number of its images."""

    p: float | None
    n: int


class Adjusted(ResultModel):
    """A p-value adjusted for the other comparisons of its family."""

    comparison: str
    n: int
    p: float | None
    adjusted: float | None
    """At most 0.05 where the comparison is significant in its family; None where there is none, `reason` says why."""
    reason: str = ""

    @property
    def is_significant(self) -> bool:
        """Return whether the difference is not 0, at 5 % for the whole family."""
        return self.adjusted is not None and self.adjusted <= LEVEL


def adjust(family: Family, tests: Mapping[str, PValue]) -> tuple[Adjusted, ...]:
    """Return the p-values of a family, adjusted. A comparison without a p-value still counts in the number of them.

    Where the images are so few that no result could be significant, no p-value is adjusted, and the reason says so.
    """
    own = [tests[name] for name in family.comparisons]
    refusal = refusal_of_few([each.n for each in own])
    adjusted = holm(np.array([1.0 if each.p is None else each.p for each in own]))
    return tuple(
        Adjusted(
            comparison=name,
            n=each.n,
            p=each.p,
            adjusted=None if refusal or each.p is None else float(value),
            reason=refusal or ("" if each.p is not None else "no image has both values"),
        )
        for name, each, value in zip(family.comparisons, own, adjusted, strict=True)
    )


def holm(p_values: Values) -> Values:
    """Return p-values adjusted by Holm's step-down rule.

    The same rule in statsmodels collects all garbage of the process first, which takes longer than a whole table.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted


def refusal_of_few(images: Sequence[int]) -> str:
    """Return why none of the comparisons can be significant, each by so many images; empty if one can."""
    comparisons, most = len(images), max(images, default=0)
    if not comparisons or least_p(most) * comparisons <= LEVEL:
        return ""
    noun = "comparison" if comparisons == 1 else "comparisons"
    sentence = (
        f"{comparisons} {noun} of {most} images cannot reach {LEVEL:.2f} in one family: "
        f"the least p-value is {least_p(most):.2g}"
    )
    needed = next((n for n in range(most, 64) if least_p(n) * comparisons <= LEVEL), None)
    return f"{sentence}; {needed} images can" if needed else f"{sentence}, however many the images"
