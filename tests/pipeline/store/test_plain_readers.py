"""Whoever opens a store with zarr or xarray alone finds arrays, and gets no warning: records lie beside them."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from s3_server import Bucket
from small_audits import Finished, Watch, job_of, object_path, path_of, run, tree
from small_stores import PLAN, arrays

from pipeline.execution.executors import serial_executor
from pipeline.plan.selection import Selection
from pipeline.store.receipts import Failure
from pipeline.store.records import records_url
from pipeline.store.store import Store

READERS: dict[str, Callable[[str], Any]] = {
    "open_zarr": xr.open_zarr,
    "open_zarr, consolidated": lambda path: xr.open_zarr(path, consolidated=True),
    "open_zarr, not consolidated": lambda path: xr.open_zarr(path, consolidated=False),
    "open_dataset": lambda path: xr.open_dataset(path, engine="zarr"),
    "open_datatree": lambda path: xr.open_datatree(path, engine="zarr"),
    "open": lambda path: zarr.open(path, mode="r"),
    "members": lambda path: zarr.open_group(path, mode="r").members(max_depth=None),
    "members one by one": lambda path: zarr.open_group(path, mode="r", use_consolidated=False).members(max_depth=None),
    "tree of nodes": lambda path: list(zarr.open_group(path, mode="r", use_consolidated=False).arrays()),
}


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_a_finished_store_opens_without_a_warning(finished: Finished, reader: Callable[[str], Any]) -> None:
    assert reader(str(path_of(finished.job.store))) is not None


@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_a_store_that_was_just_made_opens_without_a_warning(
    path: Path, made: Store, reader: Callable[[str], Any]
) -> None:
    task = next(iter(PLAN.tasks("score")))
    made.write(task, arrays(task))
    made.receipts.record_failures({"score-00001-00": Failure("x")})
    assert reader(str(path)) is not None


def test_both_answers_to_consolidated_give_the_same(finished: Finished) -> None:
    path = str(path_of(finished.job.store))
    one, other = (xr.open_zarr(path, consolidated=answer) for answer in (True, False))
    assert set(one.variables) == set(other.variables)
    assert one["score"].dims == ("image", "perturbation", "method", "metric")
    np.testing.assert_array_equal(one["score"], other["score"])
    assert one.attrs["fingerprint"] == other.attrs["fingerprint"] == finished.attributes.fingerprint


def test_records_lie_beside_the_hierarchy(path: Path, made: Store) -> None:
    task = next(iter(PLAN.tasks("score")))
    made.write(task, arrays(task))
    assert object_path(path, "_ledger", task.key) == path.parent / f"{path.stem}.records" / "ledger" / task.key
    assert object_path(path, "_ledger", task.key).is_file()
    assert object_path(path, "_preparation", "manifest").is_file()
    records = {f"_ledger/{task.key}", "_preparation/manifest", "_preparation/sources"}
    assert records == {key for key in tree(path) if key.startswith("_")}
    assert not [file for file in path.rglob("*") if file.name.startswith("_")]


def test_in_a_bucket_they_lie_beside_it_as_well(spec: Path, bucket: Bucket) -> None:
    job = job_of(spec, spec.parent)
    job = type(job)(job.spec, job.base, bucket / "audits" / "audit.zarr")
    run(job, serial_executor, Watch(), Selection("perturb"))
    keys = {request.key for request in bucket.server.requests if request.method == "PUT"}
    assert "audits/audit.records/ledger/perturb-00000-00" in keys
    assert "audits/audit.records/preparation/manifest" in keys
    assert not [key for key in keys if key.startswith("audits/audit.zarr/_")]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/runs/a/audit.zarr", "/runs/a/audit.records"),
        ("s3://bucket/a/audit.zarr/", "s3://bucket/a/audit.records"),
        ("/store", "/store.records"),
    ],
)
def test_the_place_of_records_is_known_from_that_of_the_store(url: str, expected: str) -> None:
    assert records_url(url) == expected
