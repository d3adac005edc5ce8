"""Laws of a store in a bucket: the bytes of the local store, few requests, and what goes wrong is told as it is."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import zarr
from command_line import Command
from s3_server import Bucket, Request, objects
from small_audits import Finished, Watch, edit, job_of, run, shard_key, tree
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from pipeline.execution.calls import perform
from pipeline.execution.executors import serial_executor
from pipeline.execution.job import Job
from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import context_of, load_subject
from pipeline.plan.selection import Selection
from pipeline.plan.tasks import Task
from pipeline.stages.perturb import perturb
from pipeline.store.results import open_results
from pipeline.store.store import NAME, exists, progress
from srd.errors import DamagedTask, StoreError

READS_WHAT_IT_WRITES = zarr.__version__.startswith("3.1.")


def in_bucket(spec: Path, bucket: Bucket) -> Job:
    return replace(job_of(spec, spec.parent), store=bucket / "audits" / NAME)


def test_a_bucket_holds_the_bytes_of_the_local_run_for_few_requests(
    finished: Finished, spec: Path, bucket: Bucket
) -> None:
    """Each task puts each of its arrays once and its receipt last; no metadata are read twice."""
    job = in_bucket(spec, bucket)
    plan = finished.context.plan
    prepare_store(job, load_subject(job))
    assert context_of(job).plan == plan
    seen = bucket.server.requests
    prefix, metadata = "audits/audit.zarr/", []
    for task in plan.all_tasks():
        del seen[:]
        perform(job, task)
        own = [prefix + shard_key(plan, task, variable.name) for variable in plan.variables(task)]
        puts = [request.key for request in seen if request.method == "PUT"]
        assert puts == [*own, f"audits/audit.records/ledger/{task.key}"]
        gets = [request.key for request in seen if request.method == "GET"]
        half_full = len(plan.rows(task)) < plan.tile  # zarr cannot know that nothing lies beyond
        assert sum(key in own for key in gets) <= len(own) * (READS_WHAT_IT_WRITES or half_full)
        heads = [request.key for request in seen if request.method == "HEAD"]
        assert all("/ignored/" in key for key in heads)  # all of it reads as if its object were missing: nothing is
        assert {request.method for request in seen} <= {"GET", "PUT", "HEAD"}
        assert "" not in gets  # nothing is listed
        metadata += [key for key in gets if key.endswith("zarr.json")]
    assert len(metadata) == len(set(metadata))
    assert objects(job.store) == tree(finished.job.store)


def template(finished: Finished) -> dict[str, str]:
    """The objects of the store before any task."""
    plan = finished.context.plan
    written = {f"_ledger/{task.key}" for task in plan.all_tasks()}
    written |= {shard_key(plan, task, each.name) for task in plan.all_tasks() for each in plan.variables(task)}
    return {key: digest for key, digest in tree(finished.job.store).items() if key not in written}


@pytest.mark.parametrize("nth", [0, 9, -1])
def test_a_store_that_was_not_finished_is_made_again(finished: Finished, spec: Path, bucket: Bucket, nth: int) -> None:
    job, whole = in_bucket(spec, bucket), template(finished)
    subject = load_subject(job)
    bucket.server.answer = nth_put_and_all_after(nth % len(whole), "403 AccessDenied")
    with pytest.raises(PermissionError, match=f"^s3://{bucket.name}/audits/audit.zarr: .*AccessDenied it is"):
        prepare_store(job, subject)
    bucket.server.answer = None
    assert not exists(job.store)
    assert len(objects(job.store)) == nth % len(whole)
    prepare_store(job, subject)
    assert objects(job.store) == whole


def nth_put_and_all_after(nth: int, status: str) -> Callable[[Request], str | None]:
    puts = count()
    return lambda request: status if request.method == "PUT" and next(puts) >= nth else None


@pytest.mark.slow
def test_remains_of_another_store_are_refused(spec: Path, bucket: Bucket) -> None:
    job = in_bucket(spec, bucket)
    run(job, serial_executor, Watch(), Selection("perturb"))
    other = in_bucket(edit(spec, "seed = 1", "seed = 2"), bucket)
    with pytest.raises(StoreError, match=r"was made by another audit \(it differs in: spec\.run\.seed"):
        prepare_store(other, load_subject(other))
    sync(job.store.open().delete("zarr.json"))
    with pytest.raises(StoreError, match="holds remains of something else, such as _ledger/perturb-00000-00"):
        prepare_store(other, load_subject(other))


@pytest.mark.slow
def test_a_damaged_object_is_laid_to_its_task(spec: Path, bucket: Bucket) -> None:
    job = in_bucket(spec, bucket)
    run(job, serial_executor, Watch(), Selection("perturb"))
    store, task = job.store.open(), Task("perturb", 0, 1)
    key = shard_key(context_of(job).plan, task, "input")
    for content in (b"", b"half"):
        sync(store.set(key, default_buffer_prototype().buffer.from_bytes(content)))
        with pytest.raises(DamagedTask, match=f"^{task.key}: input "):
            perform(job, Task("attribute", 0, 0))
    context_of(job).store.write(task, perturb(context_of(job), task))
    assert perform(job, Task("attribute", 0, 0))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ("403 InvalidAccessKeyId", PermissionError, "InvalidAccessKeyId it is"),
        ("401 Unauthorized", PermissionError, "Unauthorized it is"),
        ("503 SlowDown", OSError, "SlowDown it is"),
    ],
)
def test_a_refusal_in_the_middle_of_a_run_stops_it(
    spec: Path, bucket: Bucket, answer: str, error: type[OSError], said: str
) -> None:
    """It is no failure of a task: the run can go on when the place is well."""
    job = in_bucket(spec, bucket)
    prepare_store(job, load_subject(job))
    bucket.server.answer = lambda request: answer if "ledger/perturb" in request.key else None
    with pytest.raises(error, match=f"^{job.store}: .*{said}") as caught:
        run(job, serial_executor, Watch())
    assert "\n" not in str(caught.value)
    bucket.server.answer = None
    assert progress(job.store)["perturb"][0] == 0


def on_bucket(spec: Path, bucket: Bucket, prefix: str = "audits") -> Path:
    """The spec with its store in the bucket."""
    spec.write_text(bucket.table(prefix) + spec.read_text(encoding="utf-8"), encoding="utf-8")
    return spec


@pytest.mark.slow
def test_commands_find_the_store_of_a_run_in_its_bucket(command: Command, spec: Path, bucket: Bucket) -> None:
    folder = spec.parent / "runs" / "small"
    assert command("run", on_bucket(spec, bucket), "--stage", "perturb").code == 0
    assert not (folder / "audit.zarr").exists()
    half = command("status", folder)
    assert half.code == 4
    assert "attribute" in half.out
    assert command("run", spec).code == 0
    assert command("status", spec).code == 0
    page = folder / "report" / "index.html"
    before = page.read_bytes()
    assert command("report", folder)[:2] == (0, f"{page}\n")
    assert page.read_bytes() == before
    assert len(open_results(bucket / "audits" / NAME)["score"]) == 6


@pytest.mark.faults
def test_subjects_have_stores_of_their_own_in_the_bucket(command: Command, spec: Path, bucket: Bucket) -> None:
    text = spec.read_text(encoding="utf-8")
    subjects = [
        text.partition("[explain]")[0]
        .replace("[model]", f"[subject.{name}.model]")
        .replace("[data]", f"[subject.{name}.data]")
        for name in ("one", "other")
    ]
    spec.write_text("".join(subjects) + "[explain]" + text.partition("[explain]")[2], encoding="utf-8")
    folder = spec.parent / "runs" / "small"
    assert command("run", on_bucket(spec, bucket)).code == 0
    for name in ("one", "other"):
        assert exists(bucket / "audits" / name / NAME)
        assert not (folder / name / "audit.zarr").exists()
    assert command("status", folder).code == 0
    assert command("compare", folder / "one", folder / "other").code == 0


@pytest.mark.slow
def test_a_folder_belongs_to_the_store_that_its_spec_names(command: Command, spec: Path, bucket: Bucket) -> None:
    on_bucket(spec, bucket)
    assert command("run", spec, "--stage", "perturb").code == 0
    edit(spec, '/audits"', '/elsewhere"')
    refused = command("run", spec, "--stage", "perturb")
    assert refused.code == 2
    assert f"holds a run that is stored in s3://{bucket.name}/audits/audit.zarr" in refused.err
    assert "/audits" in (spec.parent / "runs" / "small" / "audit.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("s3://audits", "s3://no-such-bucket-of-audits", "NoSuchBucket"),
        ("http://127.0.0.1", "http://127.0.0.2", "HTTP error"),
    ],
)
def test_a_place_that_is_not_there_is_one_message(
    command: Command, spec: Path, bucket: Bucket, old: str, new: str, said: str
) -> None:
    on_bucket(spec, bucket)
    edit(spec, old, new)
    folder = spec.parent / "runs" / "small"
    for arguments in (("run", spec), ("status", folder)):
        ended = command(*arguments)
        assert ended.code == 5
        *phases, last = ended.err.splitlines()
        assert last.startswith("error s3://")
        assert said in last
        assert all(phase.endswith(("...", f"which {folder / 'audit.toml'} names")) for phase in phases)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "audit.toml").write_text(spec.read_text(encoding="utf-8"), encoding="utf-8")


def test_wrong_credentials_are_one_message(command: Command, spec: Path, bucket: Bucket) -> None:
    bucket.server.answer = lambda request: "403 SignatureDoesNotMatch"
    ended = command("run", on_bucket(spec, bucket))
    *phases, _ = ended.err.splitlines()
    assert ended.code == 5
    assert all(phase.endswith("...") for phase in phases)
    assert "403 Forbidden" in ended.err  # the first request is a HEAD, whose answers have no body
