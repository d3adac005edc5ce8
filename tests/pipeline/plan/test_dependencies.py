"""The tasks that a task is said to read from are those whose output it reads."""

from collections.abc import Iterable

import pytest
from small_audits import Finished

from pipeline.plan.dependencies import Dependencies
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Plan, Task
from pipeline.stages.compute import compute
from pipeline.store.store import Store

PLAN = Plan({"image": 10, "perturbation": 3, "method": 2}, 4, False, (1, 2), (2,))
"""Three tiles, the last half full; the third condition is universal."""
TARGETS = (9, 9, 1, 2, 0, 0, 4, 4, 8, 3)


def test_what_each_task_reads_is_what_it_depends_on(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    context = finished.context
    dependencies = Dependencies(context.plan, context.target_images.tolist())
    read: set[Task] = set()
    for name in ("read_output", "read_image"):
        original = getattr(Store, name)

        def watching(store: Store, writer: Task, *arguments: object, original: object = original) -> object:
            read.add(writer)
            return original(store, writer, *arguments)  # type: ignore[operator]

        monkeypatch.setattr(Store, name, watching)
    for task in context.plan.all_tasks():
        read.clear()
        compute(context, task)
        said = set(dependencies.of(task))
        if task.stage == "remove":  # of the inputs, on which its maps depend, it looks at the attacks on them alone
            method = context.spec.explain.methods[task.column]
            against = {column for column, each in enumerate(context.conditions) if each.against == method}
            said = {other for other in said if other.stage != "perturb" or other.column in {0, *against}}
        assert read == said, task


@pytest.mark.parametrize("stage", STAGES)
def test_no_task_depends_on_its_own_or_a_later_stage(stage: str) -> None:
    earlier = tuple(STAGES)[: tuple(STAGES).index(stage)]
    dependencies = Dependencies(PLAN, TARGETS)
    assert all(other.stage in earlier for task in PLAN.tasks(stage) for other in dependencies.of(task))


def of(task: Task) -> Iterable[Task]:
    return list(Dependencies(PLAN, TARGETS).of(task))


def test_only_universal_entries_wait_for_a_fit() -> None:
    assert of(Task("perturb", 1, 2)) == [Task("fit", 0, 2)]
    assert of(Task("perturb", 1, 1)) == []


def test_scores_wait_for_the_maps_of_their_target_images() -> None:
    maps = {task.tile for task in of(Task("score", 0, 1)) if task.stage == "attribute"}
    assert maps == {0, 2}
