"""The conditions of an audit, which are its perturbation axis; condition 0 is the clean images."""

from dataclasses import dataclass, field

from attacks.registry import PERTURBATIONS
from pipeline.spec.audit import AuditSpec, PerturbationSpec, condition_id, condition_pairs, draw_numbers
from pipeline.spec.values import Options

CLEAN = "clean"


@dataclass(frozen=True)
class Condition:
    """One element of the perturbation axis: a perturbation, its options and a strength."""

    id: str
    """For example `pgd@8/255` or `manipulate:srd@8/255`."""
    name: str
    family: str
    strength: float = 0.0
    strength_text: str = ""
    """The strength as the spec writes it."""
    norm: str = ""
    against: str = ""
    """The attacked method, for an attack on explanations; else ""."""
    options: Options = field(default_factory=dict)
    draw: int = 0
    """The number of the draw, from 1 on; 0 where there is only one."""

    @property
    def group(self) -> str:
        """Return the id without the number of the draw, which all draws of one perturbation share."""
        return self.id.removesuffix(f"#{self.draw}")


@dataclass(frozen=True)
class Threat:
    """The goal, the constraint, the access and the budget of an attacker."""

    goal: str
    constraint: str
    access: str
    budget: Options
    strength: float


def threat(condition: Condition) -> Threat:
    """Return the threat model of a condition other than `clean`."""
    entry = PERTURBATIONS[condition.name]
    budget = {name: condition.options.get(name, entry.options[name]) for name in entry.budget}
    return Threat(entry.goal, entry.constraint, entry.access, budget, condition.strength)


def conditions(spec: AuditSpec) -> tuple[Condition, ...]:
    """Return all conditions in the order of the spec; condition 0 is `clean`."""
    return (Condition(CLEAN, CLEAN, CLEAN), *(c for p in spec.perturbation for c in _conditions_of(p, spec)))


def _conditions_of(perturbation: PerturbationSpec, spec: AuditSpec) -> list[Condition]:
    entry = PERTURBATIONS[perturbation.name]
    return [
        Condition(
            id=condition_id(entry.name, method, strength, draw),
            name=entry.name,
            family=entry.family,
            strength=strength.value,
            strength_text=strength.text,
            norm=entry.norm or "",
            against=method,
            options=perturbation.options,
            draw=draw,
        )
        for method, strength in condition_pairs(perturbation, spec.explain.methods)
        for draw in draw_numbers(perturbation)
    ]
