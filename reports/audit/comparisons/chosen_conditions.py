"""The conditions under which methods are compared. None is chosen by how far maps moved under it."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.audit.facts import NOISE, ConditionFacts, aims_to_move_maps, furthest_condition
from reports.audit.reliability import ReliabilityFields, verdicts_of


@dataclass(frozen=True)
class Setting:
    """A change of equal kind and size for all methods: noise, or an attack on each method itself."""

    heading: str
    conditions: dict[str, str]
    """Method -> the id of its condition."""
    is_attack: bool

    def has(self, *methods: str) -> bool:
        """Return whether all of these methods have a condition."""
        return all(method in self.conditions for method in methods)


def noise_setting(result: ReliabilityFields) -> Setting | None:
    """Return the noise that moved images furthest, the same for all methods; None without noise."""
    furthest = furthest_condition(result.conditions, NOISE)
    if furthest is None:
        return None
    return Setting(furthest.heading, {method.name: furthest.id for method in result.methods}, is_attack=False)


def attack_settings(result: ReliabilityFields) -> list[Setting]:
    """Return each attack that aims to move maps, with the methods against which it is reliable.

    The order is that of the spec; of one attack the largest strength comes first.
    """
    verdicts = verdicts_of(result)
    reliable = [each for each in aimed_conditions(result.conditions) if verdicts.get((each.id, each.against)) == ""]
    names = list(dict.fromkeys(each.name for each in result.conditions))
    sizes = sorted({(names.index(each.name), -each.strength) for each in reliable})
    alike = ([each for each in reliable if (names.index(each.name), -each.strength) == size] for size in sizes)
    return [Setting(group[0].heading, {each.against: each.id for each in group}, is_attack=True) for group in alike]


def shared_setting(settings: Sequence[Setting], first: str, second: str) -> Setting | None:
    """Return the first setting that both methods have."""
    return next((each for each in settings if each.has(first, second)), None)


def aimed_conditions(conditions: Sequence[ConditionFacts]) -> list[ConditionFacts]:
    """Return the attacks on explanations that aim to move the map."""
    return [each for each in conditions if aims_to_move_maps(each)]
