"""The time that is left of a run: closed forms, and laws against a schedule that is played task by task."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.execution.executors import Outcome, Work
from pipeline.plan.conditions import Condition
from pipeline.plan.selection import Selection, TileShare
from pipeline.plan.tasks import Plan, Task
from reports.cli.time_left import Basis, NothingExpected, Remaining, TimeLeft, same_cost

PERTURB, ATTRIBUTE = Selection("perturb"), Selection("attribute")
Costs = Callable[[Task], float]
End = tuple[float, Outcome]


def plan_of(images: int, conditions: int, tile: int = 2, methods: int = 1) -> Plan:
    sizes = {"image": images, "perturbation": conditions, "method": methods}
    return Plan(sizes, tile, has_masks=False)


def left_of(plan: Plan, selection: Selection = PERTURB) -> TimeLeft:
    return TimeLeft(plan, selection, lambda column: ("alone", column), NothingExpected())


def schedule(tasks: Sequence[Task], cost: Costs, workers: int, start: float = 0.0) -> Iterator[End]:
    """Yield when each task ends, and its outcome: each worker takes the next task as soon as it is free."""
    free, running = [(start, process) for process in range(workers)], []
    for number, task in enumerate(tasks):
        began, process = heappop(free)
        ends = began + cost(task)
        heappush(free, (ends, process))
        running.append((ends, number, Outcome(task, work=Work("here", "cpu", process, cost(task)))))
    yield from ((ends, outcome) for ends, _, outcome in sorted(running, key=lambda each: each[:2]))


def by_column(*seconds: float) -> Costs:
    return lambda task: seconds[task.column]


def left_at_each_end(left: TimeLeft, ends: Sequence[End], workers: int) -> Iterator[tuple[float, Remaining | None]]:
    for now, outcome in ends:
        left.record(outcome, now)
        yield now, left.remaining(now, workers)


@pytest.mark.parametrize("order", [1, -1, 5, 7])
def test_ten_cheap_and_two_dear_tasks_in_any_order(order: int) -> None:
    """Of 12 tasks in two columns a sixth is dear: exact as soon as each kind has ended once."""
    plan = plan_of(images=12, conditions=2, tile=1)
    tasks = [*(Task("perturb", tile, 0) for tile in range(10)), Task("perturb", 0, 1), Task("perturb", 1, 1)]
    mixed = [tasks[order * number % 12] for number in range(12)]
    left = left_of(plan)
    left.begin("perturb", mixed, 0.0)
    assert left.remaining(0.0, 1) is None
    ends, seen = list(schedule(mixed, by_column(1.0, 1000.0), 1)), set()
    for (now, outcome), (_, found) in zip(ends, left_at_each_end(left, ends, 1), strict=True):
        seen.add(outcome.task.column)
        if len(seen) == 2:
            assert found is not None
            assert found.basis == Basis.MEASURED
            assert found.seconds == pytest.approx(2010 - now)
        else:
            assert found is None or (found.basis == Basis.PARTIAL and found.seconds < 2010 - now)


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=5), st.integers(1, 9), st.integers(1, 3))
def test_constant_costs_are_exact_once_each_kind_has_ended(seconds: list[float], images: int, tile: int) -> None:
    """In one process, and in proportion to the images: the last tile may have fewer."""
    plan = plan_of(images, len(seconds), tile)
    tasks, left = list(plan.tasks("perturb")), left_of(plan)
    left.begin("perturb", tasks, 0.0)

    def cost(task: Task) -> float:
        return seconds[task.column] * plan.n_images(task)

    ends = list(schedule(tasks, cost, 1))
    for now, found in list(left_at_each_end(left, ends, 1))[len(seconds) - 1 :]:
        assert found is not None
        assert found.basis == Basis.MEASURED
        assert found.seconds == pytest.approx(ends[-1][0] - now, abs=1e-6 * ends[-1][0])


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 9))
def test_equal_tasks_of_several_workers_are_exact(tiles: int, workers: int, after: int) -> None:
    """Between two ends as well. The last round has fewer tasks than workers."""
    plan = plan_of(tiles, 1, tile=1)
    tasks, left = list(plan.tasks("perturb")), left_of(plan)
    left.begin("perturb", tasks, 0.0)
    ends = list(schedule(tasks, by_column(10.0), workers))
    for number in range(1, -(-tiles // workers)):
        for now, outcome in ends[(number - 1) * workers : number * workers]:
            left.record(outcome, now)
        found = left.remaining(10.0 * number + after, workers)
        assert found is not None
        unfinished, end = tiles - number * workers, ends[-1][0] - 10.0 * number - after
        assert found.seconds == pytest.approx(end) or unfinished % workers
        assert end - 10.0 <= found.seconds <= end + 1e-9, "idle workers of a last round count as busy before it"


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=4), st.integers(2, 12), st.integers(1, 5))
def test_mixed_tasks_of_several_workers_end_within_the_dearest(seconds: list[float], tiles: int, workers: int) -> None:
    """A schedule ends between its work over the workers and one task later (Graham 1966)."""
    plan = plan_of(tiles, len(seconds), tile=1)
    tasks, left = list(plan.tasks("perturb")), left_of(plan)
    left.begin("perturb", tasks, 0.0)
    ends = list(schedule(tasks, by_column(*seconds), workers))
    end, seen = ends[-1][0], set()
    for (now, outcome), (_, found) in zip(ends, left_at_each_end(left, ends, workers), strict=True):
        seen.add(outcome.task.column)
        if len(seen) == len(seconds):
            assert found is not None
            assert abs(found.seconds - (end - now)) <= 2 * max(seconds) + 1e-6


def test_stages_to_come_count_once_they_are_measured() -> None:
    plan = plan_of(images=2, conditions=2, tile=1, methods=2)
    left = left_of(plan, ATTRIBUTE)
    perturbing, attributing = list(plan.tasks("perturb")), list(plan.tasks("attribute"))
    left.begin("perturb", perturbing, 0.0)
    found = [each for _, each in left_at_each_end(left, list(schedule(perturbing, by_column(1.0, 5.0), 1)), 1)]
    assert [str(each) for each in found] == [
        "at least 0:00:01 left",
        "at least 0:00:06 left",
        "at least 0:00:05 left",
        "None",
    ], "nothing is known of attribute"
    left.begin("attribute", attributing, 12.0)
    ends = list(schedule(attributing, by_column(2.0, 3.0), 1, start=12.0))
    found = [each for _, each in left_at_each_end(left, ends, 1)]
    assert [str(each) for each in found] == ["at least 0:00:02 left", "0:00:05 left", "0:00:03 left", "0:00:00 left"]


def test_what_was_done_by_earlier_runs_is_not_left() -> None:
    plan = plan_of(images=20, conditions=1, tile=1)
    left = left_of(plan)
    remaining = list(plan.tasks("perturb"))[15:]
    left.begin("perturb", remaining, 100.0)
    found = [each for _, each in left_at_each_end(left, list(schedule(remaining, by_column(7.0), 1, 100.0)), 1)]
    assert [each.seconds for each in found if each] == [28, 21, 14, 7, 0]


def test_the_other_shares_of_an_array_are_not_left() -> None:
    plan = plan_of(images=9, conditions=1, tile=1, methods=1)
    selection = Selection("attribute", TileShare(2, 3))
    left = left_of(plan, selection)
    mine = [task for task in plan.tasks("perturb") if selection.share.holds(task)]
    left.begin("perturb", mine, 0.0)
    for now, outcome in schedule(mine, by_column(4.0), 1):
        left.record(outcome, now)
    left.begin("attribute", [Task("attribute", tile, 0) for tile in (1, 4, 7)], 12.0)
    left.record(Outcome(Task("attribute", 1, 0), work=Work("here", "cpu", 0, 2.0)), 14.0)
    assert left.remaining(14.0, 1) == Remaining(4.0, basis=Basis.MEASURED)


def test_a_task_that_fails_is_still_left_and_a_running_one_counts_down_to_its_cost_alone() -> None:
    plan = plan_of(images=3, conditions=1, tile=1)
    left, (first, second, _) = left_of(plan), plan.tasks("perturb")
    left.begin("perturb", list(plan.tasks("perturb")), 0.0)
    left.record(Outcome(first, work=Work("here", "cpu", 0, 10.0)), 10.0)
    assert [left.remaining(now, 1) for now in (10.0, 14.0, 20.0, 99.0)] == [
        Remaining(20.0, basis=Basis.MEASURED),
        Remaining(16.0, basis=Basis.MEASURED),
        Remaining(10.0, basis=Basis.MEASURED),
        Remaining(10.0, basis=Basis.MEASURED),
    ]
    left.record(Outcome(second, ValueError("cause")), 20.0)
    assert left.remaining(20.0, 1) == Remaining(10.0, basis=Basis.MEASURED)


def test_what_warms_up_counts_until_another_has_ended() -> None:
    """Two processes, whose first tasks import for 90 seconds."""
    plan = plan_of(images=6, conditions=1, tile=1)
    left, tasks = left_of(plan), list(plan.tasks("perturb"))
    left.begin("perturb", tasks, 0.0)
    seconds = {0: 100.0, 1: 100.0, 2: 10.0, 3: 10.0}
    found = []
    for number, took in seconds.items():
        now = 100.0 + 10.0 * (number // 2)
        left.record(Outcome(tasks[number], work=Work("here", "cpu", number % 2, took)), now)
        found.append(left.remaining(now, 2))
    assert [each and each.seconds for each in found] == [250.0, 200.0, 10.0, 10.0]


@pytest.mark.parametrize("other", ["pgd@4/255", "pgd@2/255"])
def test_other_strengths_cost_what_was_measured(other: str) -> None:
    conditions = [
        Condition("clean", "clean", "clean"),
        Condition("pgd@8/255", "pgd", "", options={"steps": 4}),
        Condition(other, "pgd", "", options={"steps": 4}),
    ]
    left = TimeLeft(plan_of(1, 3), PERTURB, same_cost(conditions), NothingExpected())
    left.begin("perturb", [Task("perturb", 0, column) for column in range(3)], 0.0)
    left.record(Outcome(Task("perturb", 0, 0), work=Work("here", "cpu", 0, 1.0)), 1.0)
    assert left.remaining(1.0, 1) is None
    left.record(Outcome(Task("perturb", 0, 1), work=Work("here", "cpu", 0, 8.0)), 9.0)
    assert left.remaining(9.0, 1) == Remaining(8.0, basis=Basis.MEASURED)


def test_other_methods_options_and_stages_cost_something_else() -> None:
    against = [Condition("x", "manipulate", "", against=method) for method in ("srd", "saliency")]
    options = [Condition("x", "pgd", "", options={"steps": steps}) for steps in (4, 40)]
    of = same_cost([*against, *options])
    costs = [of(("perturb", column)) for column in range(4)]
    assert len({*costs, of(("fit", 0)), of(("attribute", 0)), of(("attribute", 1))}) == 7


class ByPasses:
    """Column 0 takes 1 pass for each image, column 1 takes 100; scores take 7 seconds and none."""

    def passes(self, column: tuple[str, int]) -> float:
        return {"perturb": (1.0, 100.0)[column[1]], "attribute": 10.0}.get(column[0], 0.0)

    def seconds(self, column: tuple[str, int]) -> float:
        return 7.0 * (column[0] == "score")


def test_what_was_not_measured_costs_its_passes_at_the_pace_of_what_was() -> None:
    plan = plan_of(images=2, conditions=2, tile=1)
    left = TimeLeft(plan, Selection("attribute"), lambda column: ("alone", column), ByPasses())
    left.begin("perturb", list(plan.tasks("perturb")), 0.0)
    assert left.remaining(0.0, 1) is None, "no pass was measured"
    left.record(Outcome(Task("perturb", 0, 0), work=Work("here", "cpu", 0, 0.5)), 0.5)
    found = left.remaining(0.5, 1)
    assert found is not None
    assert found.seconds == pytest.approx(0.5 * (1 + 2 * 100 + 2 * 10))
    assert str(found) == "about 0:01:50 left"


def test_the_pace_is_that_of_the_same_stage_once_it_is_known() -> None:
    plan = plan_of(images=2, conditions=1, tile=1)
    left = TimeLeft(plan, Selection("attribute"), lambda column: ("alone", column), ByPasses())
    left.begin("perturb", list(plan.tasks("perturb")), 0.0)
    for tile in range(2):
        left.record(Outcome(Task("perturb", tile, 0), work=Work("here", "cpu", 0, 1.0)), 1.0 + tile)
    found = left.remaining(2.0, 1)
    assert found is not None
    assert found.seconds == pytest.approx(2 * 10)
    left.begin("attribute", list(plan.tasks("attribute")), 2.0)
    left.record(Outcome(Task("attribute", 0, 0), work=Work("here", "cpu", 0, 3.0)), 5.0)
    assert left.remaining(5.0, 1) == Remaining(3.0, basis=Basis.MEASURED)
