"""The logs of a run, which lie beside its store as lines of JSON; the store itself knows neither host nor clock."""

import json
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.execution.executors import Outcome, Work
from pipeline.machine.writing import append_line
from pipeline.plan.tasks import Task
from pipeline.store.attributes import RunAttributes
from pipeline.store.receipts import Failure, failure_of

LOGS = "logs"
RUNS = "runs.jsonl"
TASKS = "tasks.jsonl"
CLUSTER = "cluster.jsonl"


class Log:
    """An observer that appends a line for the run, once its store is there, and one for every task that ends.

    `spec` is the file that the run was started with. `executor` says in words where its tasks run. `tell` receives what
    is wrong if no line can be written; the run goes on.
    """

    def __init__(self, folder: Path, spec: Path, executor: str, tell: Callable[[str], object] = str) -> None:
        self._lines = _Lines(folder, tell)
        self._run = {"host": platform.node(), "spec": str(spec.resolve()), "executor": executor}
        self._failures: Counter[str] = Counter()

    def on_store(self, attributes: RunAttributes) -> None:
        self._lines.append(RUNS, {**self._run, "versions": attributes.fingerprinted.versions})

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None: ...

    def on_wait(self, name: str, n: int) -> None: ...

    def on_task(self, outcome: Outcome) -> None:
        """Append a line for the task; `attempt` counts from 1 within this run."""
        key, error = outcome.task.key, outcome.error
        work = asdict(outcome.work) if outcome.work else dict.fromkeys(field.name for field in fields(Work))
        failure = asdict(failure_of(error)) if error else dict.fromkeys(field.name for field in fields(Failure))
        ended = {"attempt": self._failures[key] + 1, **failure}
        self._lines.append(TASKS, {"task": key, "stage": outcome.task.stage, **work, **ended})
        if error:
            self._failures[key] += 1


class ClusterLog:
    """A log of what a cluster tells its operator: what it waits for, for how long, and what to do.

    `tell` receives the texts at once. Those of before the run has a folder become lines when `begin` is called.
    """

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        self._lines, self._tell = _Lines(folder, tell), tell
        self._early: list[Mapping[str, Any]] | None = []

    def __call__(self, text: str) -> None:
        self._tell(text)
        record = {"time": _now(), "told": text}
        if self._early is None:
            self._lines.append(CLUSTER, record)
        else:
            self._early.append(record)

    def begin(self) -> None:
        """Write what was told so far, now that the folder is there."""
        early, self._early = self._early or [], None
        for record in early:
            self._lines.append(CLUSTER, record)


class _Lines:
    """Files of lines in the folder of logs. What is wrong if none can be written is told once."""

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        self._folder, self._tell, self._is_lost = folder, tell, False

    def append(self, name: str, record: Mapping[str, Any]) -> None:
        line = json.dumps({"time": _now(), **record}) + "\n"
        try:
            append_line(self._folder, f"{LOGS}/{name}", line)
        except OSError as error:
            if not self._is_lost:
                self._tell(f"{self._folder / LOGS}: {error}; the run goes on, and lines of its logs are missing")
            self._is_lost = True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
