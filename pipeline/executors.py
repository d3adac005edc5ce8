"""Who runs tasks: this process, or Dask. The only module that knows Dask; both must give the same bytes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.plan import Task
from srd.errors import StageError

Perform = Callable[[Task], str]
"""Runs a task to its receipt and returns the digest."""

WINDOW = 2  # tasks submitted per worker thread: enough to keep it busy, few to lose with it


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    task: Task
    error: BaseException | None = None


class Executor(Protocol):
    """Runs tasks in any order and yields each outcome as it comes."""

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]: ...


def serially(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
    """One task after the other in this process: the definition of what every executor does."""
    for task in tasks:
        yield _outcome(task, perform)


class OnDask:
    """Runs tasks on processes of one thread each, of an embedded LocalCluster."""

    def __init__(self, n_workers: int) -> None:
        from distributed import Client, LocalCluster  # Dask's import costs a second that other commands need not pay

        self._cluster: Any = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None)
        self._client: Any = Client(self._cluster)
        self._n_threads = n_workers

    def __enter__(self) -> "OnDask":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._cluster.close()

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        """Keeps a window of tasks submitted, so that memory is flat and little is lost with a worker."""
        from distributed import as_completed

        remaining = iter(tasks)
        submitted: dict[str, Task] = {}

        def submit(task: Task) -> Any:
            submitted[task.key] = task
            return self._client.submit(perform, task, key=task.key, pure=False)

        first = [submit(task) for task, _ in zip(remaining, range(WINDOW * self._n_threads), strict=False)]
        running = as_completed(first)
        for future in running:
            yield self._outcome(submitted.pop(future.key), future)
            future.release()
            following = next(remaining, None)
            if following is not None:
                running.add(submit(following))

    def _outcome(self, task: Task, future: Any) -> Outcome:
        if future.status == "cancelled":
            raise StageError(f"{task.key}: lost the scheduler; run the same command again to continue")
        return Outcome(task, future.exception())


def _outcome(task: Task, perform: Perform) -> Outcome:
    try:
        perform(task)
    except Exception as error:  # noqa: BLE001  whatever a task raises is recorded; the other tasks go on
        return Outcome(task, error)
    return Outcome(task)
