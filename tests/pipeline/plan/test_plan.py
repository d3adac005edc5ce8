"""Laws of the plan: tasks share out every variable without gap or overlap, in whole shards."""

from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.plan.schema import PREPARED, Question, Variable
from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Plan, Task

QUESTIONS: tuple[Question, ...] = get_args(Question)
DIMS = sorted({dim for variable in VARIABLES.values() for dim in variable.dims})


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    sizes = {dim: draw(st.integers(1, 4)) for dim in DIMS} | {"image": draw(st.integers(1, 23))}
    columns = range(1, sizes["perturbation"])
    attacks = tuple(column for column in columns if draw(st.booleans()))
    universal = tuple(column for column in attacks if draw(st.booleans()))
    stochastic = tuple(column for column in range(sizes["method"]) if draw(st.booleans()))
    attacked = tuple(column for column in range(sizes["method"]) if draw(st.booleans()))
    asked = {question: tuple(sorted(draw(st.sets(st.integers(0, sizes["image"] - 1))))) for question in QUESTIONS}
    return Plan(sizes, draw(st.integers(1, 9)), draw(st.booleans()), attacks, universal, stochastic, attacked, asked)


def tiles(plan: Plan, question: Question) -> list[int]:
    return [image // plan.tile for image in plan.asked.get(question, ())]


def regions(plan: Plan, variable: Variable) -> Iterator[tuple[slice, ...]]:
    for task in plan.all_tasks():
        if variable in plan.variables(task):
            yield plan.region(task, variable)


@given(plans())
@settings(max_examples=60, deadline=None)
def test_every_element_is_written_exactly_once_or_is_not_there_to_be_written(plan: Plan) -> None:
    columns = np.arange(plan.sizes["perturbation"])
    repeated = np.isin(np.arange(plan.sizes["method"]), plan.stochastic)
    attacked = np.isin(np.arange(plan.sizes["method"]), plan.attacked)
    answered, redrawn = (np.isin(np.arange(plan.sizes["image"]) // plan.tile, tiles(plan, each)) for each in QUESTIONS)
    expected: dict[str, Any] = dict.fromkeys(PREPARED, 0) | {
        "mask": int(plan.has_masks),
        "ignored": int(plan.has_masks),
        "displacement": np.isin(columns, plan.universal)[:, None, None, None],
        "attack_evidence": np.isin(columns, plan.attacks)[:, None],
        "repeat_attribution": repeated[:, None, None],
        "repeat_scale": repeated,
        "occluded": answered[:, None, None],
        "control_curve": answered[:, None, None, None, None, None],
        "curve": answered[:, None, None, None, None, None],
        "attacked_curve": (answered[:, None] & attacked)[:, None, :, None, None, None, None],
        "randomised_attribution": redrawn[:, None, None, None, None],
        "randomised_scale": redrawn[:, None, None],
    }
    for variable in VARIABLES.values():
        written = np.zeros([plan.sizes[dim] for dim in variable.dims], int)
        for region in regions(plan, variable):
            written[region] += 1
        assert (written == expected.get(variable.name, 1)).all(), variable.name
        assert plan.holds(variable) == (written.any() or variable.name in PREPARED), variable.name


@given(plans())
@settings(max_examples=60, deadline=None)
def test_a_region_is_a_union_of_whole_shards(plan: Plan) -> None:
    for variable in VARIABLES.values():
        shape = [plan.sizes[dim] for dim in variable.dims]
        shard = variable.shard(plan.sizes, plan.tile)
        chunk = variable.chunk(plan.sizes, plan.tile)
        assert all(whole % part == 0 for whole, part in zip(shard, chunk, strict=True))
        for region in regions(plan, variable):
            for part, size, step in zip(region, shape, shard, strict=True):
                start, stop, _ = part.indices(size)
                assert start % step == 0
                assert stop % step == 0 or stop == size


@given(plans())
@settings(max_examples=60, deadline=None)
def test_keys_are_unique_and_tiles_hold_the_images_in_order(plan: Plan) -> None:
    tasks = list(plan.all_tasks())
    assert len({task.key for task in tasks}) == len(tasks)
    for stage in ("perturb", "attribute", "score"):
        firsts = [task for task in tasks if task.stage == stage and task.column == 0]
        rows = [row for task in firsts for row in plan.rows(task)]
        assert rows == list(range(plan.sizes["image"]))


def test_stages_run_in_the_order_of_the_data() -> None:
    plan = Plan({"image": 3, "perturbation": 2, "method": 1}, tile=2, has_masks=True)
    assert [task.stage for task in plan.all_tasks()] == ["perturb"] * 4 + ["attribute"] * 2 + ["score"] * 2


def test_each_universal_perturbation_is_fitted_once_before_any_image_is_perturbed() -> None:
    plan = Plan({"image": 9, "perturbation": 4, "method": 1}, 2, has_masks=False, attacks=(1, 2, 3), universal=(1, 3))
    tasks = list(plan.all_tasks())
    assert tasks[:2] == [Task("fit", 0, 1), Task("fit", 0, 3)]
    assert all(task.stage != "fit" for task in tasks[2:])


def test_the_clean_entry_alone_writes_masks_where_there_are_any() -> None:
    sizes = {"image": 3, "perturbation": 2, "method": 2}
    for has_masks, stage, column in product((True, False), STAGES, (0, 1)):
        plan, task = Plan(sizes, tile=2, has_masks=has_masks), Task(stage, 0, column)
        names = [variable.name for variable in plan.variables(task)]
        assert ("mask" in names) == ("ignored" in names) == (has_masks and stage == "perturb" and column == 0)


def test_methods_that_draw_at_random_alone_write_repeats() -> None:
    plan = Plan({"image": 3, "perturbation": 2, "method": 3}, 2, has_masks=False, stochastic=(1,))
    repeats = {"repeat_attribution", "repeat_scale"}
    for task in plan.all_tasks():
        written = repeats & {variable.name for variable in plan.variables(task)}
        assert written == (repeats if (task.stage, task.column) == ("attribute", 1) else set())
    assert not plan.holds(VARIABLES["mask"])
    assert plan.holds(VARIABLES["repeat_scale"])


def test_a_task_is_named_after_its_place() -> None:
    assert Task("attribute", 12, 3).key == "attribute-00012-03"
