"""The examination of a process that is to run tasks, by the text of this file, which is sent to it.

It imports nothing of this project, which may be missing there. It is text because a pickled function needs the module
that it comes from, and its byte code the same Python.
"""

import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from distributed import WorkerPlugin

Finding = dict[str, Any]
"""The process that was examined, in words, and what is wrong with it."""


def examine(python: str, modules: Iterable[str], versions: Mapping[str, str]) -> Finding:
    """Return what keeps this process from running tasks of a project.

    Parameters
    ----------
    python
        The first two numbers of the version of Python.
    modules
        The names of modules of the project, one of each of its packages.
    versions
        The versions of libraries, without what follows a `+`.
    """
    own = ".".join(platform.python_version_tuple()[:2])
    wrong = [f"its Python is {own}, here it is {python}"] * (own != python)
    names = sys.getfilesystemencoding().lower()
    wrong += [f"its names of files are {names}, not UTF-8 (set PYTHONUTF8=1)"] * (names != "utf-8")
    packages = sorted({name.partition(".")[0] for name in modules if not _is_there(name)})
    places = {name: _place(name) for name in packages}
    absent = ", ".join(name for name, place in places.items() if not place)
    wrong += [f"it has no package {absent} of this project"] * bool(absent)
    wrong += [f"its {name} is {place}, which is not that of this project" for name, place in places.items() if place]
    found = {name: _version(name) for name in versions}
    wrong += [f"it has no {name}" for name, there in found.items() if not there]
    wrong += [
        f"its {name} is {there}, here it is {versions[name]}"
        for name, there in found.items()
        if there and there != versions[name]
    ]
    return {"process": f"{sys.executable} on {platform.node()}", "wrong": wrong}


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except Exception:  # noqa: BLE001  a foreign package of the name may raise anything
        return False


def _place(package: str) -> str:
    """Return where a package of the name comes from, whosever it is; "" if there is none."""
    try:
        found = find_spec(package)
    except Exception:  # noqa: BLE001  as above
        return ""
    return "" if found is None else found.origin or ", ".join(found.submodule_search_locations or ())


def _version(name: str) -> str:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return ""


class Examination(WorkerPlugin):
    """Examine a worker when it joins, report what was found, and keep it from pausing.

    A worker pauses when its memory nears a limit. Its task needs that memory until it ends, and no other task would
    free any, so a pause could last for ever.
    """

    def __init__(self, topic: str, *wanted: Any) -> None:
        self._topic, self._wanted = topic, wanted

    async def setup(self, worker: Any) -> None:
        """Receive a worker that takes no task before this has ended."""
        worker.memory_manager.memory_pause_fraction = False
        if worker.status.name == "paused":
            worker.status = type(worker.status).running
        role = f"the worker {worker.address}"
        finding = {"role": role, "worker": worker.address, **examine(*self._wanted)}
        await worker.scheduler.log_event(topic=self._topic, msg=finding)  # a task that it cannot read would end it
