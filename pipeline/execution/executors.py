"""Who runs tasks: the protocol, and the serial executor, which defines what every other one must do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pipeline.plan.tasks import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Work:
    """Where a task ran, and how long: for the log, never for the store."""

    host: str
    device: str
    process: int
    """Identity of the process on its host."""
    seconds: float


Perform = Callable[[Task], Work]
"""Runs a task to its receipt."""


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with the work that it took, or with an error."""

    task: Task
    error: BaseException | None = None
    work: Work | None = None


class Executor(Protocol):
    """Runs tasks in any order and yields each outcome as it comes."""

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]: ...

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a function returns on the class of machine on which tasks run; raises what it raises there."""
        ...


class SerialExecutor:
    """One task after the other in this process: the definition of what every executor does."""

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        for task in tasks:
            yield _outcome(task, perform)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)


serial_executor = SerialExecutor()


def _outcome(task: Task, perform: Perform) -> Outcome:
    try:
        return Outcome(task, work=perform(task))
    except Exception as error:  # noqa: BLE001  whatever a task raises is recorded; the other tasks go on
        return Outcome(task, error)
