"""The limits of this machine, or of its container, for processes: cores, files, threads and shared memory."""

import math
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import psutil

from pipeline.machine.files import MIB
from pipeline.machine.groups import GROUPS, PROCESS, group_folders, read_lines, read_number
from srd.errors import CapacityError

SHARED_MEMORY = Path("/dev/shm")
FILES, FILES_OF_EACH = 64, 16
"""The open files of a process that starts workers, and those for each worker; 22 and 12 were counted afterwards."""
THREADS_OF_EACH = 16
"""The threads that a worker takes, with those that this process has for it; 9 were counted between tasks."""


def usable_cores(process: Path = PROCESS, groups: Path = GROUPS) -> int:
    """Return how many processes can compute at once: the processor's cores that this one may use, or its quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *_quotas(process, groups)]))


def refuse_small_machine(workers: int) -> None:
    """Refuse to start workers for which this machine has too few files, threads or no shared memory.

    The limit of open files is raised as far as it may be.

    Raises
    ------
    CapacityError
        With what is missing, how much there is, and the way out.
    """
    _refuse_few_files(FILES + FILES_OF_EACH * workers, workers)
    _refuse_few_threads(THREADS_OF_EACH * workers, workers)
    _refuse_no_shared_memory()


def _quotas(process: Path, groups: Path) -> Iterator[int]:
    for folder, version in group_folders("cpu", process, groups):
        if version == 2:
            quota, period = [*(read_lines(folder / "cpu.max") or ["max"])[0].split(), "100000"][:2]
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((read_lines(folder / name) or ["max"])[0] for name in names)
        if quota.isdigit() and period.isdigit():
            yield math.ceil(int(quota) / int(period))


def _refuse_few_files(needed: int, workers: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = float("inf") if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < needed <= most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    if needed > most:
        raise CapacityError(
            f"open files: {workers} workers need about {needed}, {hard} are allowed; raise `ulimit -Hn`, or use fewer "
            "workers"
        )


def _refuse_few_threads(needed: int, workers: int) -> None:
    for name, left in _thread_limits():
        if needed > left:
            raise CapacityError(
                f"threads: {workers} workers need about {needed}, {name} leaves {max(left, 0)}; raise it, or use fewer "
                "workers"
            )


def _thread_limits(process: Path = PROCESS, groups: Path = GROUPS) -> Iterator[tuple[str, int]]:
    """Yield each limit of threads, by name, with how many more it allows."""
    for folder, _ in group_folders("pids", process, groups):
        most, used = read_number(folder / "pids.max"), read_number(folder / "pids.current")
        if most is not None:
            yield "the container's pids.max", most - (used or 0)
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if most != resource.RLIM_INFINITY and os.getuid():  # which binds root nowhere
        yield "`ulimit -u`", most - _threads_of(os.getuid())


def _threads_of(user: int) -> int:
    total = 0
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            total += each.num_threads() if each.uids().real == user else 0
    return total


def _refuse_no_shared_memory() -> None:
    way_out = "give the container some, such as `docker run --shm-size 64m`"
    try:
        get_context("spawn").Lock()
    except OSError as error:
        raise CapacityError(f"{SHARED_MEMORY}: no lock between processes can be made ({error}); {way_out}") from error
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.exists() else MIB
    if free < MIB:
        raise CapacityError(f"{SHARED_MEMORY}: is full; {way_out}")
