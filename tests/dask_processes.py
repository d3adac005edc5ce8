"""Processes as people start them by hand: `dask scheduler` and `dask worker`, on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import sleep
from typing import Any

ROOT = Path(__file__).parents[1]
IMPORTS = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}


@contextmanager
def process(kind: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a `dask scheduler` or `dask worker`, and end it with the context."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, arguments)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(command, env=os.environ | IMPORTS, **quiet)
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


@contextmanager
def scheduler(folder: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a scheduler; yield its address and its process. Port 0 is any port that is free."""
    file = folder / "scheduler.json"
    with process(
        "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", "--scheduler-file", file
    ) as running:
        while not file.exists() or not file.read_text(encoding="utf-8"):
            sleep(0.05)
        yield json.loads(file.read_text(encoding="utf-8"))["address"], running


@contextmanager
def scheduler_with_workers(folder: Path, n_workers: int) -> Iterator[str]:
    """Start a scheduler with workers of one thread; yield its address."""
    with ExitStack() as stack:
        address, _ = stack.enter_context(scheduler(folder))
        for _ in range(n_workers):
            stack.enter_context(worker(address, folder))
        yield address


def worker(address: str, folder: Path) -> Any:
    """Start a nanny and its worker of one thread."""
    return process("worker", address, "--nthreads", 1, "--no-dashboard", "--local-directory", folder)
