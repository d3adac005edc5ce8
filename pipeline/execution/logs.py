"""The logs of a run, which lie beside its store as lines of JSON; the store itself knows neither host nor clock."""

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.execution.executors import Outcome, Work
from pipeline.store.attributes import RunAttributes
from pipeline.store.receipts import Failure, failure_of
from srd.errors import StoreError

LOGS = "logs"
RUNS = "runs.jsonl"
TASKS = "tasks.jsonl"


class Log:
    """An observer that appends a line for the run, once its store is there, and one for every task that ends.

    `spec` is the file that the run was started with. `executor` says in words where its tasks run.
    """

    def __init__(self, folder: Path, spec: Path, executor: str) -> None:
        self._folder = folder / LOGS
        self._run = {"host": platform.node(), "spec": str(spec.resolve()), "executor": executor}
        self._failures: Counter[str] = Counter()

    def on_store(self, attributes: RunAttributes) -> None:
        _append(self._folder / RUNS, {**self._run, "versions": attributes.fingerprinted.versions})

    def on_stage(self, name: str, done: int, total: int) -> None: ...

    def on_wait(self, name: str, n: int) -> None: ...

    def on_task(self, outcome: Outcome) -> None:
        """Append a line for the task; `attempt` counts from 1 within this run."""
        key, error = outcome.task.key, outcome.error
        work = asdict(outcome.work) if outcome.work else dict.fromkeys(field.name for field in fields(Work))
        failure = asdict(failure_of(error)) if error else dict.fromkeys(field.name for field in fields(Failure))
        ended = {"attempt": self._failures[key] + 1, **failure}
        _append(self._folder / TASKS, {"task": key, "stage": outcome.task.stage, **work, **ended})
        if error:
            self._failures[key] += 1


def spec_folder(folder: Path) -> Path:
    """Return the folder at which relative paths of a run's spec start, as its last log says.

    Raises
    ------
    StoreError
        If there is no log.
    """
    file = folder / LOGS / RUNS
    if not file.is_file():
        raise StoreError(f"{file}: is missing, so nothing says where the run's spec lies; run the same spec again")
    return Path(json.loads(file.read_text().splitlines()[-1])["spec"]).parent


def _append(file: Path, record: Mapping[str, Any]) -> None:
    """Append one line, in one write: several processes may append at the same time."""
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **record}) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
