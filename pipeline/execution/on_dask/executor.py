"""The executor that runs tasks on a Dask cluster: few at a time, each alone in its process, none for ever."""

import faulthandler
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache, partial
from itertools import islice
from typing import Any, TypeVar

from pipeline.execution.calls import import_worker
from pipeline.execution.executors import Executor, Outcome, Perform, Work
from pipeline.execution.fork_server import forked_environment, start_fork_server
from pipeline.execution.new_process import call_in_new_process
from pipeline.execution.on_dask.clusters import Tell, import_dask, start_cluster
from pipeline.execution.on_dask.settings import FORKED
from pipeline.execution.on_dask.submissions import Submissions, tell_from_workers
from pipeline.machine import phases
from pipeline.plan.tasks import Task
from pipeline.spec.deployment import ClusterSpec

T = TypeVar("T")

WINDOW = 4  # tasks submitted per worker thread: refilled when half are left, since each message costs


@contextmanager
def dask_executor(spec: ClusterSpec, tell: Tell = str) -> Iterator[Executor]:
    """Yield an executor of a cluster, which starts with the first task or call and ends with the context.

    `tell` receives messages: what the cluster waits for, and where its dashboard is.

    Raises
    ------
    ClusterError
        If the cluster cannot run tasks.
    """
    if spec.is_on_this_machine:
        start_fork_server(FORKED)  # which imports torch while this process reads what is asked
    with ExitStack() as stack:
        client = cache(lambda: stack.enter_context(start_cluster(spec, tell)))
        yield DaskExecutor(client, spec, tell)


class DaskExecutor:
    """An executor on the workers of a client, which is made when there is something to do."""

    def __init__(self, client: Callable[[], Any], spec: ClusterSpec, tell: Tell) -> None:
        self._client = client
        self._spec = spec
        self._tell = tell
        self._workers = 1

    @property
    def workers(self) -> int:
        """Return the threads of all workers, which have one each; 1 while none is known."""
        return self._workers

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        """Yield outcomes as they come; a task that ends its worker again and again ends with WorkerLost.

        Raises
        ------
        IncompleteRun
            If the scheduler is lost, or if there is no worker for `worker_timeout` seconds.
        """
        return self._run_in_window({task.key: task for task in tasks}, perform) if tasks else iter(())

    def call(self, function: Callable[..., T], *arguments: Any, tell: phases.Tell | None = None) -> T:
        """Call a function on a worker; on this machine in a process of its own, so that no cluster starts for it."""
        if self._spec.is_on_this_machine:
            server, variables = start_fork_server(FORKED), forked_environment(FORKED)
            return call_in_new_process(variables, function, *arguments, tell=tell, server=server, meanwhile=import_dask)
        if tell is None:
            return self._call_on_worker(function, *arguments)
        with tell_from_workers(self._client(), tell) as there:
            return self._call_on_worker(function, *arguments, there)

    def _call_on_worker(self, function: Callable[..., T], *arguments: Any) -> T:
        from dask.utils import funcname

        unlimited = self._spec.model_copy(update={"task_limit": None})
        with Submissions(self._client(), unlimited, self._tell) as submissions:
            submissions.submit(function, {funcname(function): arguments})
            while (ended := submissions.next()) is None:
                pass
        if ended.error is not None:
            raise ended.error
        result: T = ended.result
        return result

    def _run_in_window(self, tasks: dict[str, Task], perform: Perform) -> Iterator[Outcome]:
        """Run tasks of which only a window is submitted at a time, so that memory stays flat."""
        from distributed.protocol.pickle import dumps

        remaining = iter(tasks)
        limited = dumps(partial(_run_within_limit, self._spec.task_limit, perform))  # once: a spec is dear to pickle
        call = partial(_unpickle_and_run, limited)
        with Submissions(self._client(), self._spec, self._tell) as submissions:
            while True:
                room = WINDOW * submissions.threads - len(submissions)
                if room >= len(submissions) and (keys := list(islice(remaining, room))):
                    submissions.submit(call, {key: (tasks[key],) for key in keys})
                if not len(submissions):
                    return
                ended = submissions.next()
                self._workers = submissions.threads
                if ended is not None:
                    yield Outcome(tasks[ended.name], ended.error, ended.result)


def _unpickle_and_run(limited: bytes, task: Task) -> Work:
    return _unpickle(limited)(task)


@lru_cache(maxsize=1)
def _unpickle(limited: bytes) -> Perform:
    """Return the function of all tasks of a stage; a worker unpickles it once."""
    perform: Perform = pickle.loads(limited)
    return perform


def _run_within_limit(limit: float | None, perform: Perform, task: Task) -> Work:
    """Run a task, and end the process after `limit` seconds, in which no import counts.

    A C thread ends it, which needs no interpreter lock: the task may hold that.
    """
    if limit is None:
        return perform(task)
    import_worker()
    faulthandler.dump_traceback_later(limit, exit=True, file=sys.stderr)
    try:
        return perform(task)
    finally:
        faulthandler.cancel_dump_traceback_later()
