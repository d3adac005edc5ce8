"""The machine is the container: its memory, cores, files and threads are those that its limits leave."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dask_processes import IMPORTS
from small_audits import write_audit

from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.machine import limits, memory
from pipeline.machine.limits import refuse_small_machine, usable_cores
from pipeline.spec.deployment import ClusterSpec, GpuSpec, LocalSpec, SlurmSpec
from srd.errors import CapacityError, ClusterError

V1 = "4:memory:/docker/a\n3:cpu,cpuacct:/docker/a\n5:pids:/docker/a\n"
V2 = "0::/kubepods/a\n"
GIB = 2**30


def write(folder: Path, files: dict[str, str]) -> tuple[Path, Path]:
    """Write the files of control groups; return the two folders in which they are looked for."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    return folder / "proc", folder / "sys"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({"sys/kubepods/a/memory.max": "8000", "sys/kubepods/a/memory.current": "3000"}, 5000),
        ({"sys/memory.max": "8000", "sys/memory.current": "3000"}, 5000),
        (
            {
                "sys/kubepods/a/memory.max": "8000",
                "sys/kubepods/a/memory.current": "3000",
                "sys/kubepods/a/memory.stat": "anon 500\ninactive_file 1000",
            },
            6000,
        ),
        ({"sys/kubepods/a/memory.max": "2000", "sys/kubepods/a/memory.current": "3000"}, 0),
        ({"sys/kubepods/a/memory.max": "max", "sys/kubepods/a/memory.current": "3000"}, 10_000),
        ({"sys/kubepods/a/memory.max": "8000"}, 8000),
        ({"sys/kubepods/a/memory.max": "8000", "sys/kubepods/a/memory.high": "4000",
          "sys/kubepods/a/memory.current": "3000"}, 1000),
        (
            {
                "sys/kubepods/memory.max": "9000",
                "sys/kubepods/memory.current": "8500",
                "sys/kubepods/a/memory.max": "8000",
                "sys/kubepods/a/memory.current": "3000",
            },
            500,
        ),
    ],
)  # fmt: skip
def test_of_version_2_the_memory_left_is_the_limit_less_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], free: int
) -> None:
    assert free_in(tmp_path, monkeypatch, {"proc/cgroup": V2.strip(), **files}) == free


@pytest.mark.parametrize(
    ("place", "stat", "free"),
    [("docker/a/", "", 5000), ("", "", 5000), ("", "cache 9\ntotal_inactive_file 500", 5500)],
)
def test_of_version_1_the_memory_left_is_the_limit_less_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, stat: str, free: int
) -> None:
    """In a container the folder of its group is often the root of what it sees."""
    files = {
        f"sys/memory/{place}memory.limit_in_bytes": "8000",
        f"sys/memory/{place}memory.usage_in_bytes": "3000",
        f"sys/memory/{place}memory.stat": stat,
    }
    assert free_in(tmp_path, monkeypatch, {"proc/cgroup": V1.strip(), **files}) == free


def free_in(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> int:
    process, groups = write(folder, files)
    monkeypatch.setattr(memory, "_PROCESS", process)
    monkeypatch.setattr(memory, "_GROUPS", groups)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10_000, total=20_000))
    return memory.free_memory()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/cgroup": V2, "sys/kubepods/a/cpu.max": "200000 100000"}, 2),
        ({"proc/cgroup": V2, "sys/cpu.max": "150000 100000"}, 2),
        ({"proc/cgroup": V2, "sys/cpu.max": "10000 100000"}, 1),
        ({"proc/cgroup": V2, "sys/cpu.max": "max 100000"}, 8),
        ({"proc/cgroup": V2, "sys/kubepods/cpu.max": "300000 100000", "sys/kubepods/a/cpu.max": "max 100000"}, 3),
        ({"proc/cgroup": V1, "sys/cpu/docker/a/cpu.cfs_quota_us": "400000",
          "sys/cpu/docker/a/cpu.cfs_period_us": "100000"}, 4),
        ({"proc/cgroup": V1, "sys/cpu/cpu.cfs_quota_us": "100000", "sys/cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"proc/cgroup": V1, "sys/cpu/cpu.cfs_quota_us": "-1", "sys/cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"proc/cgroup": V1, "sys/cpu,cpuacct/cpu.cfs_quota_us": "300000",
          "sys/cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3),
        ({}, 8),
    ],
)  # fmt: skip
def test_cores_are_those_of_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert usable_cores(*write(tmp_path, {name: text.strip() for name, text in files.items()})) == cores


def test_open_files_are_raised_as_far_as_they_may_be_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 200) if kind == resource.RLIMIT_NOFILE else (-1, -1))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, values: raised.append(values))
    refuse_small_machine(4)
    assert raised == [(128, 200)]
    with pytest.raises(CapacityError, match="open files: 40 workers need about 704, 200 are allowed; raise"):
        refuse_small_machine(40)


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (V2, {"sys/kubepods/a/pids.max": "100", "sys/kubepods/a/pids.current": "30"}),
        (V1, {"sys/pids/pids.max": "100", "sys/pids/pids.current": "30"}),
    ],
)
def test_threads_are_those_that_the_container_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str]
) -> None:
    places = write(tmp_path, {"proc/cgroup": groups.strip(), **files})
    monkeypatch.setattr(limits, "_thread_limits", lambda left=limits._thread_limits: left(*places))
    refuse_small_machine(4)
    with pytest.raises(CapacityError, match=r"threads: 5 workers need about 80, the container's pids\.max leaves 70"):
        refuse_small_machine(5)


def test_threads_are_those_that_the_user_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (50, 50) if kind == resource.RLIMIT_NPROC else (-1, -1))
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    monkeypatch.setattr(limits, "_threads_of", lambda user: 20)
    with pytest.raises(CapacityError, match="threads: 2 workers need about 32, `ulimit -u` leaves 30"):
        refuse_small_machine(2)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOSPC, errno.ENOENT, errno.EACCES])
def test_a_machine_without_shared_memory_is_refused(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(limits, "get_context", lambda kind: SimpleNamespace(Lock=refused))
    with pytest.raises(CapacityError, match=rf"/dev/shm: no lock .*{os.strerror(number)}.*`docker run --shm-size 64m`"):
        refuse_small_machine(1)


class Broken:
    """A cluster of Dask's that does not start, and says why three errors deep."""

    def __init__(self, **_: object) -> None:
        try:
            try:
                raise OSError(errno.EMFILE, "Too many open files")
            except OSError as error:
                raise RuntimeError("Scheduler failed to start.") from error
        except RuntimeError as error:
            raise RuntimeError("Cluster failed to start: Scheduler failed to start.") from error


@pytest.mark.parametrize(
    "spec",
    [LocalSpec(workers=1), GpuSpec(gpus=1), SlurmSpec(workers=1, memory="1GiB")],
    ids=lambda spec: spec.kind,
)
def test_a_cluster_that_does_not_start_is_one_line(spec: ClusterSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    for name in ("local.LocalCluster", "local.SpecCluster"):
        monkeypatch.setattr(f"pipeline.execution.on_dask.{name}", Broken)
    monkeypatch.setattr("dask_jobqueue.slurm.SLURMCluster", Broken)
    refused = pytest.raises(
        ClusterError, match=r"the cluster does not start \(OSError: \[Errno 24\] Too many open files"
    )
    with refused as caught, start_cluster(spec, str):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5


def test_a_client_that_gets_no_thread_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("distributed.Client.__init__", refuse)
    monkeypatch.setattr("distributed.Client.__del__", lambda self: None)
    refused = pytest.raises(ClusterError, match=r"does not start \(RuntimeError: can't start new thread\)")
    with refused, start_cluster(LocalSpec(workers=1), str):
        pass


def test_a_network_that_is_not_there_is_one_line() -> None:
    spec = SlurmSpec(workers=1, memory="1GiB", interface="no-such-network")
    with pytest.raises(ClusterError, match=r"does not start .*no-such-network"), start_cluster(spec, str):
        pass


@pytest.mark.parametrize(("workers", "more"), [(2, ""), (9, ", which share 4 cores")])
def test_more_workers_than_cores_are_told(monkeypatch: pytest.MonkeyPatch, workers: int, more: str) -> None:
    monkeypatch.setattr("pipeline.execution.on_dask.clusters.usable_cores", lambda: 4)
    monkeypatch.setattr("pipeline.execution.on_dask.local.LocalCluster", Broken)
    told: list[str] = []
    with pytest.raises(ClusterError), start_cluster(LocalSpec(workers=workers), told.append):
        pass
    assert told == [f"starting {workers} workers{more}"]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [20, 30, 60])
def test_a_command_with_few_files_is_told_in_one_line(tmp_path: Path, limit: int) -> None:
    spec = write_audit(tmp_path / "audit")
    program = "from reports.cli import main; main()"
    command = f"ulimit -n {limit}; {sys.executable} -P -c '{program}' run {spec} --workers 2 --stage perturb"
    ended = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | IMPORTS,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == 5
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error ")
