"""The functions that a client has submitted to its workers, and their ends."""

import asyncio
import pickle
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock
from typing import Any
from uuid import uuid4

from pipeline.execution.on_dask.patience import Patience
from pipeline.machine.phases import Phase, Tell
from pipeline.spec.deployment import ClusterSpec
from srd.errors import AuditError, ClusterError, IncompleteRun, WorkerLost

ASKED_AGAIN = 0.5  # seconds after which the cluster is asked how many threads it has
ALONE = Lock()  # of a worker's process: methods hook the network, so that two tasks at once give wrong maps
CONTINUES = "run the same command again to continue"
LOST = f"lost the scheduler; {CONTINUES}"


@dataclass(frozen=True)
class SubmissionEnd:
    """The end of a submission: a result, or an error."""

    name: str
    result: Any = None
    error: BaseException | None = None


class Submissions:
    """Functions that run on workers, each alone in its process.

    Results come as messages by way of the scheduler, ahead of the message that a function has ended. A result that
    waited on its worker to be fetched would be lost with the worker, and the function would run again. All waiting is
    for a queue, which an interrupt ends without a message of Dask's.
    """

    def __init__(self, client: Any, spec: ClusterSpec, tell: Callable[[str], object]) -> None:
        self.threads = 1
        """Of all workers: at least one, so that something is submitted that may start others."""
        self._client = client
        self._spec = spec
        self._tell = tell
        self._group = uuid4().hex  # another audit on the same scheduler has tasks of the same names
        self._futures: dict[str, Any] = {}
        self._results: dict[str, bytes] = {}
        self._events: SimpleQueue[SubmissionEnd | int | BaseException] = SimpleQueue()

    def __enter__(self) -> "Submissions":
        from pipeline.execution.on_dask.fitness import findings, topic_of

        self._client.subscribe_topic(self._group, self._receive_result)
        self._client.subscribe_topic(topic_of(self._client), lambda event: self._receive_findings([event[1]]))
        self._receive_findings(findings(self._client))  # of workers that came before
        self._watch = asyncio.run_coroutine_threadsafe(self._watch_workers(), self._client.loop.asyncio_loop)
        self._watch.add_done_callback(self._report_watch_error)
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        for future in self._futures.values():
            future.release()

    def __len__(self) -> int:
        return len(self._futures)

    def submit(self, function: Callable[..., Any], arguments: Mapping[str, tuple[Any, ...]]) -> None:
        """Submit calls of a function, by name, in one message: several cost the scheduler little more than one."""
        from dask.utils import key_split

        key_split.cache_clear()  # it keeps 100,000 keys: half a KiB of each task, where the scheduler is this process
        keys = [(f"{name.partition('-')[0]}-{self._group}", name) for name in arguments]
        call = partial(_run_alone, self._group, function)
        futures = self._client.map(call, list(arguments), list(arguments.values()), key=keys, pure=False)
        for name, future in zip(arguments, futures, strict=True):
            self._futures[name] = future
            future.add_done_callback(partial(self._report_end, name))

    def _report_end(self, name: str, future: Any) -> None:
        self._events.put(_submission_end(name, future))

    def next(self) -> SubmissionEnd | None:
        """Return the next submission that ends; None if only the number of threads is known anew.

        Raises
        ------
        IncompleteRun
            If the scheduler is lost, or if no worker works for `worker_timeout` seconds.
        ClusterError
            If a worker has come that cannot run this project.
        """
        event = self._events.get()
        if isinstance(event, BaseException):
            raise event
        if not isinstance(event, SubmissionEnd):
            self.threads = max(1, event)
            return None
        del self._futures[event.name]
        if event.error is not None:
            return self._explain_error(event)
        return SubmissionEnd(event.name, pickle.loads(self._results.pop(event.name)))

    def _report_watch_error(self, watch: Future[None]) -> None:
        error = None if watch.cancelled() else watch.exception()
        if error is not None:
            self._events.put(error)

    def _receive_result(self, event: tuple[float, tuple[str, bytes]]) -> None:
        name, result = event[1]
        self._results[name] = result

    def _receive_findings(self, found: list[Any]) -> None:
        from pipeline.execution.on_dask.fitness import refuse_unfit

        try:
            refuse_unfit(found)
        except ClusterError as error:
            self._events.put(error)

    def _explain_error(self, ended: SubmissionEnd) -> SubmissionEnd:
        from distributed import KilledWorker

        if isinstance(ended.error, CancelledError):
            raise IncompleteRun(LOST)
        if not isinstance(ended.error, KilledWorker):
            return ended
        limit, workers = self._spec.task_limit, ended.error.allowed_failures + 1
        causes = "memory, a crash" + (f", the limit of {limit:g} seconds for a task" if limit else "")
        died = f"{workers} workers died while they ran it; their logs may say why ({causes})"
        return SubmissionEnd(ended.name, error=WorkerLost(f"{ended.name}: {died}"))

    def _tell_lost_workers(self, lost: frozenset[str], left: int) -> None:
        if lost:
            self._tell(f"{len(lost)} workers were lost, {left} are there; what they worked on is done again")

    async def _watch_workers(self) -> None:
        """Tell the queue how many threads work, again and again, in the client's thread."""
        patience, known, scheduler = Patience(self._spec, self._tell), frozenset[str](), self._client.scheduler
        while not patience.is_over():
            try:
                workers, working = await scheduler.ncores(), await scheduler.ncores_running()
            except OSError as error:
                raise IncompleteRun(LOST) from error
            self._tell_lost_workers(known - workers.keys(), len(workers))
            known, idle = frozenset(workers), len(workers) - len(working)
            if working:
                patience.restart()
            else:
                patience.wait(idle)
            self._events.put(sum(working.values()))
            await asyncio.sleep(ASKED_AGAIN)
        paused = f", and {idle} that are paused or closing" if idle else ""
        raise IncompleteRun(f"no worker for {self._spec.worker_timeout:g} seconds{paused}; start some, and {CONTINUES}")


@contextmanager
def tell_from_workers(client: Any, tell: Tell) -> Iterator[Tell]:
    """Yield a function for tasks, which tells here what a worker tells there."""
    topic = uuid4().hex
    client.subscribe_topic(topic, lambda event: tell(pickle.loads(event[1])))
    try:
        yield partial(_tell_from_here, topic)
    finally:
        client.unsubscribe_topic(topic)


def _tell_from_here(topic: str, phase: Phase) -> None:
    from distributed import get_worker

    get_worker().log_event(topic, pickle.dumps(phase))


def _submission_end(name: str, future: Any) -> SubmissionEnd:
    """Return the end of a future; the client's thread calls this, which no interrupt reaches."""
    lost = CancelledError() if future.status == "cancelled" else None
    error = future.exception() if future.status == "error" else lost
    future.release()
    return SubmissionEnd(name, error=error)


def _run_alone(group: str, function: Callable[..., Any], name: str, arguments: tuple[Any, ...]) -> None:
    """Run a function in a worker, which may have more than one thread."""
    from distributed import get_worker

    with ALONE:
        try:
            result = function(*arguments)
        except AuditError as error:
            error.__cause__ = error.__context__ = None  # a class of the network's own file is known to no other process
            raise
    get_worker().log_event(group, (name, pickle.dumps(result)))
