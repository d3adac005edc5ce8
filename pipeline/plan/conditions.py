"""The perturbation axis: every entry of every perturbation, the clean images first."""

from dataclasses import dataclass, field

from attacks.registry import PERTURBATIONS
from pipeline.spec.audit import AuditSpec, PerturbationSpec, condition_id, condition_pairs
from pipeline.spec.values import Options

CLEAN = "clean"


@dataclass(frozen=True)
class Condition:
    """One entry of the perturbation axis: a name, its options, a strength."""

    id: str
    """Such as `pgd@8/255` or `manipulate:srd@8/255`."""
    name: str
    family: str
    strength: float = 0.0
    strength_text: str = ""
    """As the spec writes it."""
    norm: str = ""
    against: str = ""
    """The attacked method, of an attack on an explanation."""
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Threat:
    """What the attacker wants, may do and may spend."""

    goal: str
    constraint: str
    access: str
    budget: Options
    strength: float


def threat(condition: Condition) -> Threat:
    """The threat model of an entry of the perturbation axis but `clean`."""
    entry = PERTURBATIONS[condition.name]
    budget = {name: condition.options.get(name, entry.options[name]) for name in entry.budget}
    return Threat(entry.goal, entry.constraint, entry.access, budget, condition.strength)


def conditions(spec: AuditSpec) -> tuple[Condition, ...]:
    """The whole axis, in the order of the spec; entry 0 is `clean`."""
    return (Condition(CLEAN, CLEAN, CLEAN), *(c for p in spec.perturbation for c in _conditions_of(p, spec)))


def _conditions_of(perturbation: PerturbationSpec, spec: AuditSpec) -> list[Condition]:
    entry = PERTURBATIONS[perturbation.name]
    return [
        Condition(
            id=condition_id(entry.name, method, strength),
            name=entry.name,
            family=entry.family,
            strength=strength.value,
            strength_text=strength.text,
            norm=entry.norm or "",
            against=method,
            options=perturbation.options,
        )
        for method, strength in condition_pairs(perturbation, spec.explain.methods)
    ]
