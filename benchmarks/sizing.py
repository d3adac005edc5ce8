"""The size of an audit, by arithmetic alone: tasks, raw and stored bytes, objects. Prints Markdown tables."""

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.stores import plan_like
from pipeline.plan.schema import PREPARED
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan

STORED: Mapping[str, float] = {"input": 0.59, "prediction": 0.92} | dict.fromkeys(
    ("attribution", "other_class_attribution", "repeat_attribution"), 0.86
)
"""The share of the raw bytes that a store of a MobileNetV2 took: 63 ImageNet images, 7 methods, 7 conditions,
2026-11-22."""


@dataclass(frozen=True)
class AuditSize:
    """The content of a finished audit."""

    tasks: Mapping[str, int]
    """The tasks of each stage."""
    raw: Mapping[str, int]
    """The bytes of each array."""
    objects: int
    """Shards and receipts, each of which is one PUT."""

    @property
    def stored(self) -> dict[str, float]:
        """Return the bytes of each array once compressed; raw where nothing was measured."""
        return {name: size * STORED.get(name, 1.0) for name, size in self.raw.items()}


def size_of(plan: Plan) -> AuditSize:
    """Return the size of an audit whose tasks are each done once."""
    held = [variable for variable in VARIABLES.values() if plan.holds(variable)]
    return AuditSize(
        tasks=Counter(task.stage for task in plan.all_tasks()),
        raw={v.name: np.dtype(v.dtype).itemsize * plan.n_values(v) for v in held},
        objects=sum(len(plan.variables(task)) + 1 for task in plan.all_tasks()) + len(PREPARED),
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spec", type=Path, default=Path("specs/demo.toml"), help="whose arrays it has")
    for name, default in (("images", 50_000), ("tile", 16), ("methods", 14), ("entries", 21), ("size", 224)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    sizes = {"image": given.images, "method": given.methods, "perturbation": given.entries}
    plan = plan_like(given.spec, **sizes, y=given.size, x=given.size, tile=given.tile, **{"class": 1000})
    size = size_of(plan)
    print("| stage | tasks |\n|---|---|", *(f"| {stage} | {n:,} |" for stage, n in size.tasks.items()), sep="\n")
    print("\n| array | raw GB | stored GB |\n|---|---|---|")
    for name, raw in sorted(size.raw.items(), key=lambda item: -item[1]):
        print(f"| {name} | {raw / 1e9:,.2f} | {size.stored[name] / 1e9:,.2f} |")
    print(f"| sum | {sum(size.raw.values()) / 1e9:,.0f} | {sum(size.stored.values()) / 1e9:,.0f} |")
    print(f"\n{size.objects:,} objects.")


if __name__ == "__main__":
    main()
