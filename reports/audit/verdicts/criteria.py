"""The criteria of an audit: a file of stated bounds, each with its reason."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from pipeline.spec.toml import parse_table, read_toml
from pipeline.spec.values import SpecTable, Text, as_tuple, closest, shorten_value
from reports.audit.verdicts.quantities import QUANTITIES, Quantity
from reports.statistics import MARGIN
from srd.errors import SpecError

ALL = "all"
"""The name that stands for every method but the controls."""
CLEAN, NOISE, ATTACKS = "clean", "noise", "attacks"
"""The names of groups of conditions. Any other condition is named by its perturbation or its id."""
LARGEST = "largest"
"""The strength that stands for the largest one of each perturbation."""
DEFAULTS = "the default criteria"
"""The place of the criteria that are shipped, in messages."""

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Criterion(SpecTable):
    """A bound on a quantity of one method or of all, under some conditions."""

    metric: Text
    """A name of `QUANTITIES`."""
    method: Text = ALL
    condition: Text
    strength: Text = LARGEST
    """`largest`, or a strength as the spec of the run writes it."""
    at_least: Finite | None = None
    at_most: Finite | None = None
    min_n: Annotated[int, Field(ge=1)] = 1
    """With fewer images, or fewer re-draws where these are the unit, nothing is decided."""
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] = MARGIN
    """The loss against an older run that is no regression."""
    why: Text

    @model_validator(mode="after")
    def _check_value(self) -> "Criterion":
        if self.metric not in QUANTITIES:
            raise ValueError(f"metric = {shorten_value(self.metric)}: no metric; {closest(self.metric, QUANTITIES)}")
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"metric = {self.metric!r}: write at_least or at_most, one of the two")
        if self.quantity.is_of_clean_maps and self.condition != CLEAN:
            raise ValueError(
                f"condition = {shorten_value(self.condition)}: {self.metric} is measured on clean images alone; write "
                f"condition = {CLEAN!r}"
            )
        low, high = self.quantity.bounds
        if not low <= self.bound <= high or self.bound == self.best:
            key, side = ("at_least", "above") if self.is_lower else ("at_most", "below")
            raise ValueError(
                f"{key} = {self.bound:g}: {self.metric} lies in {low:g} to {high:g}, and passes strictly {side} its "
                "bound; write a bound in it that can be met"
            )
        return self

    @property
    def quantity(self) -> Quantity:
        """Return the quantity that is bounded."""
        return QUANTITIES[self.metric]

    @property
    def bound(self) -> float:
        """Return the bound, whichever side it is of."""
        return next(bound for bound in (self.at_least, self.at_most, math.nan) if bound is not None)

    def judges(self, method: str) -> bool:
        """Return whether it bounds a quantity of a method."""
        return self.method in (ALL, method)

    @property
    def is_lower(self) -> bool:
        """Return whether values must be above the bound."""
        return self.at_least is not None

    @property
    def best(self) -> float:
        """Return the value that speaks most for a method."""
        return self.quantity.bounds[self.is_lower]

    @property
    def worst(self) -> float:
        """Return the value that speaks most against a method."""
        return self.quantity.bounds[not self.is_lower]

    @property
    def sentence(self) -> str:
        """Return the criterion in words, such as `SSIM: more than 0.9 under noise`."""
        where = {CLEAN: "on clean images", ATTACKS: "under every reliable attack"}.get(
            self.condition, f"under {self.condition}"
        )
        at = "" if self.strength == LARGEST else f" at {self.strength}"
        return f"{self.quantity.title}: {self.demand} {where}{at}"

    @property
    def demand(self) -> str:
        """Return what is asked of a value, in words."""
        bound = f"{100 * self.bound:g} %" if self.quantity.kind == "outcome" else f"{self.bound:g}"
        return f"{'more' if self.is_lower else 'less'} than {bound}"


@dataclass(frozen=True)
class Measured:
    """The measurements of a run, of which criteria may be."""

    methods: tuple[str, ...]
    conditions: Mapping[str, set[str]]
    """Name or id of a condition, and names of groups -> its strengths as the spec writes them."""
    n: int
    """The number of images."""
    has_masks: bool
    redraws: int
    """The number of re-draws of all weights; 0 if the spec did not ask for them."""


class _CriteriaFile(SpecTable):
    criterion: Annotated[tuple[Criterion, ...], BeforeValidator(as_tuple)]

    @model_validator(mode="after")
    def _check_count(self) -> "_CriteriaFile":
        if not self.criterion:
            raise ValueError("criterion: names no criterion; write a [[criterion]]")
        return self


def default_criteria() -> tuple[Criterion, ...]:
    """Return the criteria that are shipped."""
    source = files("reports.audit.verdicts") / "criteria.toml"
    return read_criteria(Path(str(source)))


def read_criteria(path: Path) -> tuple[Criterion, ...]:
    """Return the criteria of a TOML file of tables [[criterion]].

    Raises
    ------
    SpecError
        If the file cannot be read, or a criterion names an unknown metric or a bound outside the metric's range.
    """
    return parse_table(_CriteriaFile, read_toml(path), str(path)).criterion


def check_criteria_fit(criteria: Iterable[Criterion], place: str, measured: Measured) -> None:
    """Refuse criteria on what a run did not measure.

    Parameters
    ----------
    place
        The file of the criteria.

    Raises
    ------
    SpecError
        With place, value and way out, for the first such criterion.
    """
    for number, criterion in enumerate(criteria, 1):
        fault = _fault(criterion, measured)
        if fault:
            raise SpecError(f"{place}: [[criterion]] number {number}: {fault}")


def _fault(criterion: Criterion, measured: Measured) -> str:
    method, condition, strength = criterion.method, criterion.condition, criterion.strength
    methods, conditions = [ALL, *measured.methods], measured.conditions
    if criterion.quantity.needs_masks and not measured.has_masks:
        return f"metric = {criterion.metric!r}: needs masks of the objects, which the run does not have; set data.masks"
    if method not in methods:
        return f"method = {shorten_value(method)}: is not in the run; {closest(method, methods)}"
    if condition not in conditions:
        return f"condition = {shorten_value(condition)}: is not in the run; {closest(condition, conditions)}"
    if strength != LARGEST and strength not in conditions[condition]:
        way_out = closest(strength, [LARGEST, *sorted(conditions[condition])])
        return f"strength = {shorten_value(strength)}: {condition} does not have it in the run; {way_out}"
    return _fault_of_count(criterion, measured)


def _fault_of_count(criterion: Criterion, measured: Measured) -> str:
    """Return what is wrong with the least count; nothing where nothing was asked, for the verdict says that."""
    redrawn = criterion.quantity.kind == "re-draws"
    n, unit = (measured.redraws, "re-draws") if redrawn else (measured.n, "images")
    if criterion.min_n <= n or n == 0:
        return ""
    more = "set measure.redraws" if redrawn else "audit more images"
    return f"min_n = {criterion.min_n}: the run has {n} {unit}; write at most {n}, or {more}"
