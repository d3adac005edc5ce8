"""The memory of this machine: what is free, what a process has used, and the refusal of what does not fit."""

import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from srd.errors import CapacityError

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

_PROCESS, _GROUPS = Path("/proc/self"), Path("/sys/fs/cgroup")


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

    This is the available memory, but at most the limit of this process's control group.
    """
    return min([int(psutil.virtual_memory().available), *_group_limits()])


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
    """Yield the memory limits of the process's control groups, version 1 or 2, and of their parents."""
    groups = _PROCESS / "cgroup"
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        home, name = (_GROUPS / "memory", "memory.limit_in_bytes") if controllers else (_GROUPS, "memory.max")
        for relative in (Path(path.lstrip("/")), *Path(path.lstrip("/")).parents):
            file = home / relative / name
            text = file.read_text(encoding="utf-8").strip() if file.exists() else "max"
            if text != "max":
                yield int(text)
