"""The command line in a process of its own, as a terminal starts it, and signals and waits for that process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
from command_line import CommandEnd
from dask_processes import IMPORTS

MAIN = """\
import signal
from reports.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
main()
"""
PATIENCE = 500  # seconds: a task that never returns ends eight workers

Running = subprocess.Popen[str]


def start_command(*arguments: object, folder: Path) -> Running:
    """Start the command in a process group of its own."""
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | IMPORTS
    return subprocess.Popen(command, cwd=folder, env=environment, encoding="utf-8", start_new_session=True, **pipes)


def wait_for_end(process: Running) -> CommandEnd:
    """Wait for the end of a process, and kill it if it does not end."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return CommandEnd(process.returncode, out, err)


def wait_until(condition: Callable[[], bool], process: Running) -> None:
    """Wait until the condition holds.

    Raises
    ------
    TimeoutError
        If it never holds, or not before the process has ended.
    """
    end = monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or monotonic() > end:
            raise TimeoutError(wait_for_end(process).err)
        sleep(0.02)


def workers_of(process: Running) -> list[psutil.Process]:
    """Return the processes that the command has started to run tasks."""
    try:
        return [child for child in psutil.Process(process.pid).children(recursive=True) if _is_worker(child)]
    except psutil.NoSuchProcess:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        command, parent = (" ".join(each.cmdline()) for each in (process, process.parent() or process))
        return "spawn_main" in command or ("forkserver" in command and "forkserver" in parent)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
