"""The spec of an audit: TOML that is read once, refused with place, value and way out, and frozen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from attacks.entries import PerturbationEntry
from attacks.registry import PERTURBATIONS
from pipeline.spec.data import GRIDS, DataSpec
from pipeline.spec.measure import MeasureSpec
from pipeline.spec.model import ModelSpec
from pipeline.spec.settings import Setting, place_with
from pipeline.spec.toml import parse_table, read_table
from pipeline.spec.values import (
    NO_STRENGTH,
    Names,
    Options,
    SpecTable,
    Strength,
    Strengths,
    Text,
    as_tuple,
    check_bits,
    check_options,
    check_strengths,
    closest,
    shorten_value,
)
from srd.errors import SpecError
from srd.registry import ATTRIBUTORS

Draws = Annotated[int, Field(ge=1, le=256)]
"""A number of draws; each is a condition of its own, with a map of every image by every method."""
MOST_CONDITIONS = 10_000


class SubjectSpec(SpecTable):
    """The audited network and its images."""

    model: ModelSpec
    data: DataSpec


class ExplainSpec(SpecTable):
    """The explanation methods, in the order of the report."""

    methods: Names
    options: dict[str, Options] = Field(default_factory=dict)
    target: Literal["predicted", "label"] = "predicted"


class PerturbationSpec(SpecTable):
    """One perturbation at several strengths; each strength is a condition."""

    name: Text
    strengths: Strengths = ()
    """Empty for a perturbation that has no strength to choose."""
    against: Names | None = None
    """The methods that an attack on explanations goes against; all differentiable ones by default."""
    options: Options = Field(default_factory=dict)
    draws: Draws = 1
    """How often a random change is drawn; each draw is a condition."""


class RunSpec(SpecTable):
    """The tile and the seed of the work; both are part of the result."""

    tile: Annotated[int, Field(ge=1, le=4096)] = 8
    """Images of a task; an attack on a batch sees all of them at once."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class ProtocolSpec(SpecTable):
    """The methods and perturbations that are applied to a subject."""

    explain: ExplainSpec
    perturbation: Annotated[tuple[PerturbationSpec, ...], BeforeValidator(as_tuple)] = ()
    measure: MeasureSpec = MeasureSpec()
    run: RunSpec = RunSpec()

    @model_validator(mode="after")
    def _check_names(self) -> "ProtocolSpec":
        _check_methods(self.explain)
        for number, perturbation in enumerate(self.perturbation, 1):
            _check_perturbation(f"[[perturbation]] number {number}", perturbation, self.explain.methods)
        _refuse_many(self.perturbation, self.explain.methods)
        _refuse_repetitions(self.perturbation, self.explain.methods)
        return self


class AuditSpec(ProtocolSpec, SubjectSpec):
    """Everything that the user asks of an audit."""

    @model_validator(mode="after")
    def _check_target(self) -> "AuditSpec":
        refuse_other_target(self.data, self.explain, "data.path")
        return self


def load_spec(path: Path, settings: Sequence[Setting] = ()) -> AuditSpec:
    """Return the spec in a TOML file, as settings change it.

    Raises
    ------
    SpecError
        With the file, the place, the value and the way out.
    """
    table = read_table(path, settings)
    if "subject" in table:
        raise SpecError(f"{path}: subject: this command takes one network; move one subject's tables to the top")
    if "manipulation" in table:
        raise SpecError(f"{path}: manipulation: is for `srd-audit manipulate-model`; remove the table")
    if "variant" in table:
        raise SpecError(f"{path}: variant: is for `srd-audit variants`; remove the tables")
    return parse_spec(table, place_with(path, settings))


def parse_spec(table: Mapping[str, Any], place: str) -> AuditSpec:
    """Return the spec in a parsed TOML table; `place` begins the message of a refusal."""
    return parse_table(AuditSpec, table, place)


def refuse_other_target(data: DataSpec, explain: ExplainSpec, place: str) -> None:
    """Refuse to explain another class than the one whose cell is the mask of a grid; `place` is that of the path.

    Raises
    ------
    ValueError
        If the predicted class is to be explained.
    """
    if data.path == GRIDS and explain.target != "label":
        raise ValueError(
            f"{place} = {GRIDS!r}: its masks are of the label, but explain.target is {explain.target!r}; "
            "set explain.target = 'label'"
        )


def attacked_methods(perturbation: PerturbationSpec, methods: tuple[str, ...]) -> tuple[str, ...]:
    """Return the methods that the perturbation goes against, each of which makes its own conditions.

    For a perturbation that does not attack explanations this is only "".
    """
    if not PERTURBATIONS[perturbation.name].attacks_attributor:
        return ("",)
    if perturbation.against is not None:
        return perturbation.against
    return tuple(name for name in methods if _is_attackable(name, PERTURBATIONS[perturbation.name]))


def condition_pairs(perturbation: PerturbationSpec, methods: tuple[str, ...]) -> list[tuple[str, Strength]]:
    """Return the attacked method, or "", and the strength of each condition of a perturbation."""
    strengths = perturbation.strengths or (NO_STRENGTH,)
    return [(method, strength) for method in attacked_methods(perturbation, methods) for strength in strengths]


def condition_id(name: str, method: str, strength: Strength, draw: int = 0) -> str:
    """Return the id of a condition, such as `deepfool`, `manipulate:srd@8/255` or, of several draws, `shift@0.1#2`."""
    drawn = f"#{draw}" if draw else ""
    return f"{name}{':' * bool(method)}{method}{'@' * bool(strength.text)}{strength.text}{drawn}"


def draw_numbers(perturbation: PerturbationSpec) -> range:
    """Return the numbers of a perturbation's draws: 1, 2, ... of several, 0 alone of one."""
    return range(1, perturbation.draws + 1) if perturbation.draws > 1 else range(1)


def _check_methods(explain: ExplainSpec) -> None:
    if not explain.methods:
        raise ValueError("explain.methods is empty; name at least one: " + ", ".join(ATTRIBUTORS))
    for name in explain.methods:
        if name not in ATTRIBUTORS:
            raise ValueError(
                f"explain.methods: no method is called {shorten_value(name)}; {closest(name, ATTRIBUTORS)}"
            )
        if explain.methods.count(name) > 1:
            raise ValueError(f"explain.methods: {shorten_value(name)} stands twice")
    for name, options in explain.options.items():
        if name not in explain.methods:
            raise ValueError(f"explain.options.{name}: not among explain.methods; {closest(name, explain.methods)}")
        check_options(f"explain.options.{name}", ATTRIBUTORS[name], options)


def _check_perturbation(place: str, perturbation: PerturbationSpec, methods: tuple[str, ...]) -> None:
    if perturbation.name not in PERTURBATIONS:
        way_out = closest(perturbation.name, PERTURBATIONS)
        raise ValueError(f"{place}: no perturbation is called {shorten_value(perturbation.name)}; {way_out}")
    entry = PERTURBATIONS[perturbation.name]
    place = f"{place} ({entry.name})"
    check_options(f"{place} options", entry, perturbation.options)
    check_strengths(place, entry, perturbation.strengths)
    check_bits(place, entry, perturbation.options, perturbation.strengths)
    _check_draws(place, entry, perturbation.draws)
    _check_against(place, perturbation, methods)


def _check_draws(place: str, entry: PerturbationEntry, draws: int) -> None:
    if draws > 1 and not entry.draws_anew:
        why = "searches, so its draws are not alike" if entry.access != "none" else "draws nothing at random"
        raise ValueError(f"{place}: draws = {draws}: {entry.name} {why}; remove draws")


def _refuse_many(perturbations: tuple[PerturbationSpec, ...], methods: tuple[str, ...]) -> None:
    many = sum(
        len(attacked_methods(each, methods)) * max(1, len(each.strengths)) * each.draws for each in perturbations
    )
    if many > MOST_CONDITIONS:
        raise ValueError(
            f"perturbation: {many} conditions, more than {MOST_CONDITIONS}; name fewer strengths, draws or methods"
        )


def _refuse_repetitions(perturbations: tuple[PerturbationSpec, ...], methods: tuple[str, ...]) -> None:
    seen: set[str] = set()
    numbered = (
        (number, condition_id(perturbation.name, method, strength))
        for number, perturbation in enumerate(perturbations, 1)
        for method, strength in condition_pairs(perturbation, methods)
    )
    for number, condition in numbered:
        if condition in seen:
            raise ValueError(f"[[perturbation]] number {number}: {condition} stands twice; remove one of the two")
        seen.add(condition)


def _check_against(place: str, perturbation: PerturbationSpec, methods: tuple[str, ...]) -> None:
    if perturbation.against is not None and not PERTURBATIONS[perturbation.name].attacks_attributor:
        raise ValueError(f"{place}: against is for attacks on explanations; remove it")
    if not attacked_methods(perturbation, methods):
        raise ValueError(f"{place}: there is no method to attack; name one that has a gradient, such as 'srd'")
    for name in perturbation.against or ():
        if name not in methods:
            raise ValueError(
                f"{place}: against {shorten_value(name)}, which is not among explain.methods; {closest(name, methods)}"
            )
        if not _is_attackable(name, PERTURBATIONS[perturbation.name]):
            what = "no gradient to attack" if ATTRIBUTORS[name].uses_network else "nothing of the network to attack"
            raise ValueError(f"{place}: against {shorten_value(name)}, which has {what}; remove it")


def _is_attackable(method: str, attack: PerturbationEntry) -> bool:
    entry = ATTRIBUTORS[method]
    return entry.differentiable if attack.needs_gradient else entry.uses_network
