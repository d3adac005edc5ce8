"""Coordinates that say nothing, for stores of which only the sizes matter."""

from pipeline.plan.tasks import Plan
from pipeline.store.arrays import COORDINATES


def blank_coordinates(plan: Plan) -> dict[str, list[str | float]]:
    """Return coordinates of the right length that say nothing."""
    blank: dict[str, str | float] = dict.fromkeys(COORDINATES, "")
    blank |= {"perturbation_strength": 0.0, "perturbation_draw": 0, "step": 0.0}
    return {name: [value] * plan.sizes[COORDINATES[name]] for name, value in blank.items()}
