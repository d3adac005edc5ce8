"""The free disk and memory of the machine, and the refusal of what does not fit."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from small_audits import Finished, path_of

from pipeline.machine import memory
from pipeline.machine.memory import Memory, forget_peak, free_memory, in_units, peak_memory, refuse_memory
from pipeline.plan.schema import PREPARED
from pipeline.plan.tasks import Plan, Task
from pipeline.store.capacity import LEAST_SHARE, raw_bytes, refuse_hopeless_store, refuse_store
from pipeline.store.location import Location
from srd.errors import CapacityError

MIB = 2**20


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The free bytes of every disk."""
    given = {"free": 1000}
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(**given))
    return given


def test_the_raw_bytes_are_those_of_all_values_of_a_store(finished: Finished) -> None:
    store, plan = finished.context.store, finished.context.plan
    tasks = [
        each.nbytes for task in plan.all_tasks() for each in store.read_output(task, names_of(plan, task)).values()
    ]
    prepared = [store.read(name).nbytes for name in PREPARED]
    assert raw_bytes(plan) == sum(tasks) + sum(prepared)


def names_of(plan: Plan, task: Task) -> list[str]:
    return [variable.name for variable in plan.variables(task)]


@pytest.mark.usefixtures("disk")
def test_a_store_that_fits_just_so_is_not_refused(tmp_path: Path) -> None:
    refuse_store(1000, Location(str(tmp_path / "no" / "such" / "folder")))
    with pytest.raises(CapacityError, match=r"the store needs 1 KiB more, the disk has 1000 B free; audit fewer"):
        refuse_store(1024, Location(str(tmp_path / "no" / "such" / "folder")))


@pytest.mark.usefixtures("disk")
def test_what_is_there_of_a_store_is_not_needed_again(tmp_path: Path) -> None:
    (tmp_path / "audit" / "input").mkdir(parents=True)
    (tmp_path / "audit" / "input" / "c").write_bytes(bytes(500))
    refuse_store(1500, Location(str(tmp_path)))
    with pytest.raises(CapacityError, match=r"needs 1001 B more"):
        refuse_store(1501, Location(str(tmp_path)))


@pytest.mark.usefixtures("disk")
def test_an_object_store_is_not_asked_how_much_it_holds(finished: Finished) -> None:
    refuse_store(10**15, Location("memory://audit"))
    refuse_hopeless_store(finished.context.plan, Location("memory://audit"))


def test_only_a_hopeless_store_is_refused_without_a_pilot(finished: Finished, disk: dict[str, int]) -> None:
    plan, store = finished.context.plan, finished.job.store
    least = round(LEAST_SHARE * raw_bytes(plan))
    there = sum(file.stat().st_size for file in path_of(store).rglob("*") if file.is_file())
    elsewhere = store / "elsewhere"
    disk["free"] = least
    refuse_hopeless_store(plan, elsewhere)
    disk["free"] = least - 1
    with pytest.raises(CapacityError):
        refuse_hopeless_store(plan, elsewhere)
    assert there > least, "a true store takes more than the least"
    disk["free"] = 0
    refuse_hopeless_store(plan, store)  # a finished run needs nothing more


def test_processes_that_do_not_fit_into_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    refuse_memory(Memory(300, 100), 3, 8)
    with pytest.raises(CapacityError, match=r"4, with tiles of 8 images, .* 1.27 KiB .* 1000 B .* use --workers 3, or"):
        refuse_memory(Memory(300, 100), 4, 8)
    with pytest.raises(CapacityError, match=r"free; use a smaller run.tile$"):
        refuse_memory(Memory(901, 100), 1, 8)


def test_the_peak_is_what_was_held_since_it_was_forgotten() -> None:
    forget_peak()
    before = peak_memory()
    held = np.ones(200 * MIB // 8)
    grown = peak_memory()
    size = held.nbytes
    del held
    assert grown.private - before.private == pytest.approx(size, rel=0.05)
    assert peak_memory().private == pytest.approx(grown.private, rel=0.05), "a peak stays"
    forget_peak()
    assert peak_memory().private < grown.private - size / 2
    assert 0 < before.shared < psutil.Process(os.getpid()).memory_info().rss


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/job\n", {"job/memory.max": "5000", "memory.max": "max"}, 5000),
        ("0::/job/step\n", {"job/memory.max": "4000", "job/step/memory.max": "9000"}, 4000),
        ("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": "3000"}, 3000),
        ("3:cpuset:/job\n0::/\n", {"memory/job/memory.limit_in_bytes": "3000"}, 10**6),
    ],
)
def test_a_control_group_limits_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str], expected: int
) -> None:
    for name, text in {"proc/cgroup": groups, **{f"sys/{name}": text for name, text in files.items()}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "sys")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10**6))
    assert free_memory() == expected


def test_sizes_are_written_in_their_unit() -> None:
    assert [in_units(n) for n in (0, 1, 1023, 1024, 1536, 3 * 2**40)] == [
        "0 B",
        "1 B",
        "1023 B",
        "1 KiB",
        "1.5 KiB",
        "3 TiB",
    ]
