"""The control groups of this process, version 1 or 2: a container is one, and so is a job of SLURM."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROCESS, GROUPS = Path("/proc/self"), Path("/sys/fs/cgroup")
UNLIMITED = "max"


def group_folders(controller: str, process: Path = PROCESS, groups: Path = GROUPS) -> Iterator[tuple[Path, int]]:
    """Yield the folders of the process's groups that may limit what a controller counts, with their version, 1 or 2.

    Those of all groups above are among them.
    """
    for line in read_lines(process / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        home, version = (_home(groups, controller, controllers), 1) if controllers else (groups, 2)
        for relative in (Path(path.lstrip("/")), *Path(path.lstrip("/")).parents):
            yield home / relative, version


def _home(groups: Path, controller: str, controllers: str) -> Path:
    """Return the folder of a controller of version 1, which may be named after all that are counted there."""
    return groups / controller if (groups / controller).exists() else groups / controllers


def read_number(file: Path) -> int | None:
    """Return the number in a file; None if there is no file, or no limit."""
    (text, *_) = read_lines(file) or [UNLIMITED]
    return None if text == UNLIMITED else int(text)


def read_table(file: Path) -> dict[str, int]:
    """Return the numbers in a file, by the names before them."""
    rows = (line.split() for line in read_lines(file))
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def read_lines(file: Path) -> list[str]:
    """Return the lines of a file of the kernel; none if there is no such file, or it may not be read."""
    with suppress(OSError):
        return file.read_text(encoding="utf-8").splitlines()
    return []
