"""An environment that has the libraries of this one, and not this project."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from venv import EnvBuilder

import numpy as np

LIBRARIES = Path(np.__file__).parents[1]


def bare_python(folder: Path) -> Path:
    """Make the environment; return its interpreter."""
    EnvBuilder(symlinks=True).create(folder)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # of what `.pth` files name there, such as this project, nothing is seen from here
    (folder / "lib" / version / "site-packages" / "libraries.pth").write_text(f"{LIBRARIES}\n", encoding="utf-8")
    return folder / "bin" / "python"


@contextmanager
def bare_process(folder: Path, kind: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a `dask scheduler` or `dask worker` without this project, and end it with the context."""
    command = [bare_python(folder / "bare"), "-P", "-m", f"distributed.cli.dask_{kind}", *map(str, arguments)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(list(map(str, command)), env={"PATH": "/usr/bin:/bin"}, cwd=folder, **quiet) as running:
        try:
            yield running
        finally:
            running.terminate()
