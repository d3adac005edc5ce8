"""Runs on a file system whose listings are older than what is in it, as those of NFS are for half a minute."""

import os
from pathlib import Path

import pytest
from small_audits import TASKS, Finished, Watch, finish, job_of, run, shard_key, tree

from pipeline.execution.executors import serial_executor
from pipeline.execution.job import Job
from pipeline.plan.selection import Selection, TileShare
from pipeline.plan.tasks import Task
from pipeline.store.results import open_results
from pipeline.store.store import NAME, Store, progress


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder is listed for ever as it was when it was first listed."""
    listing, seen = os.listdir, dict[str, list[str]]()

    def first(path: str) -> list[str]:
        return seen.setdefault(os.fspath(path), listing(path))

    monkeypatch.setattr(os, "listdir", first)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """No listing of a store shows anything yet."""
    listing = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: [] if NAME in str(path) else listing(path))


@pytest.mark.usefixtures("frozen")
def test_what_was_reported_done_is_done(finished: Finished, spec: Path, tmp_path: Path) -> None:
    ended = finish(spec, tmp_path / "run")
    assert ended.watch.waiting == []
    assert tree(ended.job.store) == tree(finished.job.store)


@pytest.mark.usefixtures("frozen")
def test_stages_one_at_a_time_see_what_the_others_wrote(finished: Finished, spec: Path, tmp_path: Path) -> None:
    job, watch = job_of(spec, tmp_path / "run"), Watch()
    for stage in TASKS:
        run(job, serial_executor, watch, Selection(stage))
    assert [each for each in watch.stages if each[1] == 0] == [(stage, 0, n) for stage, n in TASKS.items()]
    assert watch.waiting == []
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.usefixtures("frozen")
def test_parts_see_what_the_others_wrote(finished: Finished, spec: Path, tmp_path: Path) -> None:
    job, watch = job_of(spec, tmp_path / "run"), Watch()
    for part in (1, 2):
        run(job, serial_executor, Watch(), Selection(share=TileShare(part, 2)))
    run(job, serial_executor, watch)
    assert watch.waiting == []
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.usefixtures("blind")
def test_a_run_that_no_listing_shows_is_finished(finished: Finished) -> None:
    watch = Watch()
    run(finished.job, serial_executor, watch)
    assert watch.outcomes == []
    assert progress(finished.job.store) == {stage: (n, n) for stage, n in TASKS.items()}
    assert int(open_results(finished.job.store)["score"].notnull().sum()) > 0


@pytest.mark.usefixtures("blind")
def test_what_has_no_receipt_is_not_done(spec: Path, tmp_path: Path) -> None:
    job = job_of(spec, tmp_path / "run")
    run(job, serial_executor, Watch(), Selection("perturb"))
    assert progress(job.store) == {stage: (n if stage == "perturb" else 0, n) for stage, n in TASKS.items()}


def test_a_withdrawn_receipt_that_is_still_listed_is_none(
    finished: Finished, spec: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    job = job_of(spec, tmp_path / "run")
    run(job, serial_executor, Watch(), Selection("perturb"))
    request.getfixturevalue("frozen")
    assert len(Store(job.store).receipts.task_keys()) == TASKS["perturb"]  # which is what is listed from now on
    damage(job, finished, Task("perturb", 0, 1))
    run(job, serial_executor, Watch())
    assert tree(job.store) == tree(finished.job.store)


def damage(job: Job, finished: Finished, task: Task) -> None:
    assert job.store.path
    (job.store.path / shard_key(finished.context.plan, task, "input")).write_bytes(b"")
