"""About how many passes of the network tasks take, by what entries say of their cost: for the time left of a run.

A backward pass counts as two forward ones.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import Condition, threat
from pipeline.plan.tasks import Plan, TaskColumn
from pipeline.spec.audit import AuditSpec
from srd.registry import ATTRIBUTORS

BACKWARD = 2
CHANNELS = 512
"""The channels of an encoder, where a method asks about each."""
DIFFERENTIATED_TWICE = 4
"""The maps that a step of an attack on explanations costs, with the iterates that are judged."""
QUERIES = 2
"""The maps of a pair of opposite points, by which an attack by queries estimates a gradient."""
EVIDENCE = 30
"""The maps that the controls and the slopes of such an attack cost."""
FURTHER_MAPS = 1
"""The map of another class, beside those of all conditions."""
REDRAWN = 0.05
"""The seconds in which weights are drawn again, for each image."""
SCORED, SCORED_PIXEL = 3e-3, 5e-7
"""The seconds of the scores of a map, and of each of its pixels."""


def n_answers(plan: Plan, stage: str, attacks: int) -> int:
    """Return how often a task of `occlude` or `remove` asks the network about parts of one image.

    `attacks` is the number of conditions that attack the method of a task of `remove`.
    """
    sizes = plan.sizes
    curve = sizes["order"] * (sizes["step"] - 1)  # both orders share both ends
    if stage == "occlude":
        return sizes["subset"] + sizes["control"] * sizes["fill"] * curve
    return (sizes["fill"] + attacks * sizes["ranking"]) * curve


@dataclass(frozen=True)
class ExpectedWork:
    """The work for one image that the tasks of a column are expected to take."""

    spec: AuditSpec
    plan: Plan
    conditions: Sequence[Condition]

    def passes(self, column: TaskColumn) -> float:
        """Return the forward passes."""
        stage, index = column
        if stage in {"fit", "perturb"}:
            return self._of_perturbation(self.conditions[index])
        if stage == "score":
            return 0.0
        if stage == "occlude":
            return n_answers(self.plan, stage, 0)
        method = self.spec.explain.methods[index]
        if stage == "attribute":
            return self.of_map(method) * (len(self.conditions) + FURTHER_MAPS)
        if stage == "randomise":
            return self.of_map(method) * self.plan.sizes["depth"]
        return n_answers(self.plan, stage, sum(each.against == method for each in self.conditions))

    def seconds(self, column: TaskColumn) -> float:
        """Return the seconds of the rest, where it is not small beside the passes of a small network."""
        sizes = self.plan.sizes
        if column[0] == "score":
            return len(self.conditions) * (SCORED + SCORED_PIXEL * sizes["y"] * sizes["x"])
        return REDRAWN * sizes["depth"] if column[0] == "randomise" else 0.0

    def of_map(self, method: str) -> float:
        """Return the passes of one map."""
        entry = ATTRIBUTORS[method]
        options = {"channels": CHANNELS, **entry.options, **self.spec.explain.options.get(method, {})}
        terms = re.findall(r"(?:(\w+) x )?\(?((?:\d+ \w+(?:, )?)+)", entry.cost)
        return float(sum(int(options.get(factor, 1)) * _passes(sum_) for factor, sum_ in terms))

    def _of_perturbation(self, condition: Condition) -> float:
        if condition.name not in PERTURBATIONS:
            return 1.0
        entry, budget = PERTURBATIONS[condition.name], threat(condition).budget
        steps = float(math.prod(value for value in budget.values() if isinstance(value, (int, float))))
        if condition.against and isinstance(restarts := budget.get("restarts"), int):
            steps *= (1 + restarts) / 2 / restarts  # later ones are given up where they fall behind
        if not condition.against:
            return (1 + BACKWARD) * steps if entry.access != "none" else 1.0
        of_step = DIFFERENTIATED_TWICE if entry.needs_gradient else QUERIES
        return self.of_map(condition.against) * (of_step * steps + EVIDENCE)


def _passes(terms: str) -> int:
    """Return the passes of a sum such as `1 forward, 1 backward`."""
    return sum(int(n) * (BACKWARD if kind == "backward" else 1) for n, kind in re.findall(r"(\d+) (\w+)", terms))
