"""Folders that take long to fill: of parallel test processes one makes them, and the others wait."""

import os
import shutil
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder of this name, as `make` has filled it in whichever process came first; no test may change it."""
    root: Path = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    home, whole = root / name, root / f"{name} is whole"
    with (root / f"{name} lock").open("w", encoding="utf-8") as lock:
        flock(lock, LOCK_EX)
        if not whole.exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            make(home)
            whole.touch()
    return home
