"""Closed forms of what an audit takes."""

from dataclasses import replace
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.estimate.estimate import BLOCK, CostLine, Pilot, StoredFiles, estimate_cost, fit_line, makespan
from pipeline.machine.memory import Memory
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan
from pipeline.spec.measure import MeasureSpec

SIZES = {dim: 1 for variable in VARIABLES.values() for dim in variable.dims}
PLAN = Plan({**SIZES, "image": 4, "perturbation": 2, "method": 3}, 4, has_masks=False)
PILOT = Pilot(
    plan=PLAN,
    measure=MeasureSpec(categories=("similarity",)),
    seed=0,
    methods=("srd", "saliency", "edges"),
    condition_groups=("clean", "universal:srd@8/255"),
    tasks={
        ("perturb", 0): [(2, 1.0), (4, 2.0)],  # half a second an image
        ("perturb", 1): [(2, 5.0), (4, 7.0)],  # 3 seconds and one an image
        **{(stage, column): [(2, 4.0), (4, 8.0)] for stage in ("attribute", "score") for column in range(3)},
    },
    loading=CostLine(1.0, 0.1),
    preparing=CostLine(2.0, 0.2),
    arrays={"input": StoredFiles(4000, 2, by_image=True), "displacement": StoredFiles(70, 1, by_image=False)},
    metadata=StoredFiles(300, 3, by_image=False),
    memory=[(2, 1000), (4, 1500)],
    shared=100,
    seconds=9.0,
    machine="a machine",
)


@given(st.floats(0, 1e3), st.floats(1e-3, 1e3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 100))
def test_a_line_that_was_measured_is_found(fixed: float, each: float, few: int, more: int, n: int) -> None:
    truth = CostLine(fixed, each)
    found = fit_line([(few, truth.at(few)), (few + more, truth.at(few + more))])
    assert found.at(n) == pytest.approx(truth.at(n), rel=1e-6)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=2), st.integers(3, 40))
def test_noise_neither_shrinks_nor_outgrows_what_was_measured(noisy: list[float], n: int) -> None:
    less, more = noisy
    at = fit_line([(2, less), (3, more)]).at
    assert at(3) == pytest.approx(more)
    assert more <= at(n) * (1 + 1e-9)
    assert at(n) <= more / 3 * n * (1 + 1e-9)


def test_one_measurement_is_taken_as_proportional() -> None:
    assert fit_line([(2, 3.0)]) == CostLine(0.0, 1.5)


@given(st.lists(st.floats(0, 100), max_size=30), st.integers(1, 8))
def test_a_schedule_lies_between_its_bounds(seconds: list[float], workers: int) -> None:
    total, longest = sum(seconds), max(seconds, default=0)
    ends = makespan(seconds, workers)
    assert max(total / workers, longest) <= ends + 1e-6
    assert ends <= total / workers + longest + 1e-6  # Graham 1966, with longest (1 - 1/m) rounded up


def test_schedules_that_can_be_drawn() -> None:
    assert makespan([3, 2, 1], 1) == 6
    assert makespan([3, 2, 1], 2) == 3
    assert makespan([1, 1, 5], 2) == 6  # the long one comes last
    assert makespan([1] * 100, 8) == ceil(100 / 8)


def test_an_audit_of_ten_images() -> None:
    """Tiles of 4, 4 and 2 images, for 2 conditions and 3 methods."""
    found = estimate_cost(PILOT, 10, 4, 2)
    clean, attacked, methods = 5.0, 3 * 3 + 10.0, 3 * 2 * 10.0
    assert {name: stage.tasks for name, stage in found.stages.items()} == {"perturb": 6, "attribute": 9, "score": 9}
    assert found.stages["perturb"].seconds == pytest.approx(clean + attacked)
    assert found.stages["score"].seconds == pytest.approx(methods)
    assert found.stages["score"].elapsed == pytest.approx(32)  # 8 8 | 8 8 | 8 8 | 4 4 | 4
    assert found.entries == pytest.approx({"clean": clean, "universal:srd@8/255": attacked})
    assert found.methods == pytest.approx(dict.fromkeys(PILOT.methods, 2 * methods / 3))
    assert [found.loading, found.preparing] == pytest.approx([2, 4])
    assert found.seconds == pytest.approx(6 + clean + attacked + 2 * methods)
    assert found.elapsed == pytest.approx(6 + sum(stage.elapsed for stage in found.stages.values()))


def test_fit_takes_what_it_takes_however_many_images_there_are() -> None:
    fitting = {**PILOT.tasks, ("fit", 1): [(2, 4.0), (4, 6.0)]}  # 2 seconds and one an image
    pilot = replace(PILOT, plan=replace(PLAN, attacks=(1,), universal=(1,)), tasks=fitting)
    for images, seconds in ((10, 12.0), (32, 34.0), (1000, 34.0)):
        found = estimate_cost(pilot, images, 4, 1)
        assert found.stages["fit"].tasks == 1
        assert found.stages["fit"].seconds == pytest.approx(seconds)


def test_what_is_asked_grows_with_the_images_that_are_asked_about() -> None:
    """Of one to 40 images at most 5 are asked about, in tiles of 4."""
    measured = {("occlude", 0): [(2, 4.0), (4, 6.0)]}  # 2 seconds and one an image
    plan = replace(PLAN, asked={"faithfulness": (0, 1, 2, 3)})
    pilot = replace(
        PILOT,
        plan=plan,
        measure=MeasureSpec(categories=("similarity", "faithfulness"), n_faithfulness=5),
        tasks={**PILOT.tasks, **measured, **{("remove", column): [(4, 8.0)] for column in range(3)}},
        arrays={"occluded": StoredFiles(4000, 1, by_image=True), "curve": StoredFiles(800, 3, by_image=True)},
    )
    for images, asked in ((1, 1), (4, 4), (40, 5)):
        found = estimate_cost(pilot, images, 4, 1)
        tiles = found.stages["occlude"].tasks
        assert 1 <= tiles <= asked
        assert found.stages["occlude"].seconds == pytest.approx(2 * tiles + asked)
        assert found.stages["remove"].tasks == 3 * tiles
        assert found.stages["remove"].seconds == pytest.approx(3 * 2 * asked)
        assert found.arrays == {"occluded": 1000 * asked, "curve": 200 * asked}


def test_bytes_grow_with_the_images_and_blocks_with_the_files() -> None:
    found = estimate_cost(PILOT, 10, 4, 1)
    assert found.arrays == {"input": 10000, "displacement": 70}
    assert found.store == 10000 + 70 + found.receipts + 300
    files = 6  # of input: 3 tiles, 2 conditions, each less than a block
    assert found.disk == (files + 1 + 24 + 3) * BLOCK


def test_a_file_takes_whole_blocks() -> None:
    pilot = replace(PILOT, arrays={"input": StoredFiles(2 * (BLOCK + 1), 2, by_image=True)})
    small, whole = (estimate_cost(replace(pilot, arrays=arrays), 4, 4, 1).disk for arrays in ({}, pilot.arrays))
    assert whole - small == 2 * 2 * BLOCK


def test_memory_grows_with_the_tile_as_far_as_there_are_images() -> None:
    assert estimate_cost(PILOT, 100, 8, 1).memory == Memory(2500, 100)
    assert estimate_cost(PILOT, 6, 8, 1).memory == Memory(2000, 100)
    assert Memory(2500, 100).of(3) == 7600


def test_more_workers_are_never_slower() -> None:
    elapsed = [estimate_cost(PILOT, 37, 4, workers).elapsed for workers in range(1, 12)]
    assert all(one >= other - 1e-9 for one, other in pairwise(elapsed))
    assert elapsed[0] == pytest.approx(estimate_cost(PILOT, 37, 4, 1).seconds)
