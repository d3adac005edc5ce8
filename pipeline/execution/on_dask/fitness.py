"""The fitness of scheduler and workers: each is examined when it joins, and an unfit one is refused with its name."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from distributed import WorkerPlugin

from pipeline.execution.on_dask import examination
from pipeline.execution.on_dask.examination import Finding
from pipeline.machine.libraries import LIBRARIES
from srd.errors import ClusterError

PYTHON = ".".join(map(str, sys.version_info[:2]))
RECEIVING = ("dask", "distributed", "pydantic")
"""The libraries without which no task can be received."""
MODULES = ("srd.errors", "attacks.types", "pipeline.execution.calls")
"""A module of each package that tasks need."""
WAY_OUT = (
    "install this project there in the versions that are installed here, or start it with an interpreter that has it "
    "(docs/cluster.md)"
)


class _ByText:
    """An object that is sent as the text of `examination`, and an expression that makes it there."""

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def __reduce__(self) -> tuple[Any, ...]:
        source = files(examination.__package__).joinpath("examination.py").read_text(encoding="utf-8")
        names = {"__name__": "srd_audit_examination"}
        text = f"(lambda names: (exec({source!r}, names), eval({self._expression!r}, names))[1])({names!r})"
        return eval, (text,)  # noqa: S307  which is of this project, and evaluated by processes of the same user


class _Plugin(_ByText, WorkerPlugin):
    """The plugin that examines workers."""

    def __init__(self, name: str, expression: str) -> None:
        super().__init__(expression)
        self.name = name


def topic_of(client: Any) -> str:
    """Return the topic under which the workers of a client report what was found."""
    return f"srd-audit-{client.id}"


@contextmanager
def examine_all(client: Any) -> Iterator[None]:
    """Examine the scheduler at once, and each worker when it joins, until the context ends.

    Raises
    ------
    ClusterError
        If the scheduler cannot run this project.
    """
    finding = client.run_on_scheduler(_ByText(f"lambda: examine{requirements(RECEIVING)!r}"))
    refuse_unfit([{"role": "the scheduler", **finding}])
    topic = topic_of(client)
    client.register_plugin(_Plugin(topic, f"Examination({topic!r}, *{requirements((*LIBRARIES, *RECEIVING))!r})"))
    try:
        yield
    finally:
        with suppress(OSError):  # a lost scheduler has no plugins left
            client.unregister_worker_plugin(topic)


def findings(client: Any) -> list[Finding]:
    """Return what was found of each worker so far, those that are gone included."""
    return [event for _, event in client.get_events(topic_of(client))]


def refuse_unfit(found: Iterable[Finding]) -> None:
    """Refuse what cannot run this project.

    Raises
    ------
    ClusterError
        With its interpreter, its host, and what is wrong.
    """
    for each in found:
        if each["wrong"]:
            raise ClusterError(
                f"{each['role']}, {each['process']}, cannot run this project: {'; '.join(each['wrong'])}; {WAY_OUT}"
            )


def requirements(libraries: Iterable[str]) -> tuple[Any, ...]:
    """Return the arguments of `examine`: what this process has, whose tasks are to be run."""
    return PYTHON, MODULES, {name: version(name).partition("+")[0] for name in libraries}
