"""The memory of this machine: what is free, what a process has used, and the refusal of what does not fit."""

import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from pipeline.machine.groups import GROUPS, PROCESS, group_folders, read_number, read_table
from srd.errors import CapacityError

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

_PROCESS, _GROUPS = PROCESS, GROUPS
NAMES = {
    1: (("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
    2: (("memory.max", "memory.high"), "memory.current", "inactive_file"),
}
"""The files of a control group's limits and usage, and the name of files in memory that nobody uses, by its version.

Above `memory.high` processes are slowed down until they stand still.
"""


@dataclass(frozen=True)
class Memory:
    """The largest number of bytes that processes use: for each process, and shared by all."""

    private: int
    shared: int

    def of(self, processes: int) -> int:
        """Return the bytes that so many processes use together."""
        return self.shared + processes * self.private


def refuse_memory(needed: Memory, processes: int, images: int) -> None:
    """Refuse so many processes, each with a tile of `images` images, if the free memory is too small.

    Raises
    ------
    CapacityError
        If they do not fit into the free memory.
    """
    free = free_memory()
    if needed.of(processes) > free:
        most = (free - needed.shared) // needed.private
        way_out = f"use --workers {most}, or a smaller run.tile" if most > 0 else "use a smaller run.tile"
        raise CapacityError(
            f"processes: {processes}, with tiles of {images} images, need about {in_units(needed.of(processes))} of "
            f"memory, {in_units(free)} are free; {way_out}"
        )


def in_units(n_bytes: int) -> str:
    """Return a number of bytes as text, such as `1.5 GiB`."""
    power = min(max(n_bytes.bit_length() - 1, 0) // 10, len(UNITS) - 1)
    n = n_bytes / 1024**power
    return f"{n:.0f} {UNITS[power]}" if n >= 100 else f"{n:.3g} {UNITS[power]}"


def free_memory() -> int:
    """Return the bytes that new processes may take.

    This is the available memory, but at most what is left of the limit of this process's control group.
    """
    left = (max(limit - used, 0) for limit, used in _groups())
    return min([int(psutil.virtual_memory().available), *left])


def total_memory() -> int:
    """Return the bytes that all processes together may take: those of the machine, or of its container."""
    return min([int(psutil.virtual_memory().total), *_group_limits()])


def forget_peak() -> None:
    """Start the measurement of `peak_memory` anew, where the system allows it.

    Elsewhere the measurement goes on from the start of the process.
    """
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5", encoding="utf-8")


def peak_memory() -> Memory:
    """Return the most that this process has used: for itself, and of libraries that processes may share."""
    if not (_PROCESS / "status").exists():
        unit = 1 if sys.platform == "darwin" else 1024
        return Memory(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, 0)
    lines = dict(line.split(":", 1) for line in (_PROCESS / "status").read_text(encoding="utf-8").splitlines())
    most, shared = (int(lines[name].split()[0]) * 1024 for name in ("VmHWM", "RssFile"))
    return Memory(most - shared, shared)


def _group_limits() -> Iterator[int]:
    """Yield the memory limits of the process's control groups, and of those above."""
    return (limit for limit, _ in _groups())


def _groups() -> Iterator[tuple[int, int]]:
    """Yield the limit of each control group, and what is used of it, without files that the kernel would drop."""
    for folder, version in group_folders("memory", _PROCESS, _GROUPS):
        limit_names, usage_name, cache_name = NAMES[version]
        limits = [limit for name in limit_names if (limit := read_number(folder / name)) is not None]
        if limits:
            cache = read_table(folder / "memory.stat").get(cache_name, 0)
            yield min(limits), max((read_number(folder / usage_name) or 0) - cache, 0)
