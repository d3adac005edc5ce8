"""The protocol of executors, which run tasks, and the serial executor, which defines what others must do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pipeline.machine.phases import Tell
from pipeline.plan.tasks import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Work:
    """The place and the time that a task took: for the log, never for the store."""

    host: str
    device: str
    process: int
    """The process id on its host."""
    seconds: float


Perform = Callable[[Task], Work]
"""A function that runs a task to its receipt."""


@dataclass(frozen=True)
class Outcome:
    """The end of a task: the work that it took, or an error."""

    task: Task
    error: BaseException | None = None
    work: Work | None = None


class Executor(Protocol):
    """A callable that runs tasks in any order, and yields each outcome as it comes."""

    @property
    def workers(self) -> int:
        """Return how many processes run tasks, as far as is known now."""
        ...

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]: ...

    def call(self, function: Callable[..., T], *arguments: Any, tell: Tell | None = None) -> T:
        """Call a function on the class of machine that runs tasks; return its result, or raise its error.

        If there is `tell`, the function gets one as its last argument; what is told there is told here.
        """
        ...


class SerialExecutor:
    """One task after the other in this process: the definition of what every executor does."""

    workers = 1

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        for task in tasks:
            yield _outcome(task, perform)

    def call(self, function: Callable[..., T], *arguments: Any, tell: Tell | None = None) -> T:
        return function(*arguments, *([] if tell is None else [tell]))


serial_executor = SerialExecutor()


def _outcome(task: Task, perform: Perform) -> Outcome:
    try:
        return Outcome(task, work=perform(task))
    except Exception as error:  # noqa: BLE001  whatever a task raises is recorded; the other tasks go on
        return Outcome(task, error)
