"""Whether a store still holds what its receipts say, and whether its tasks, done again, make the same bytes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.context import Context
from pipeline.environment import hardware, reproducible
from pipeline.fingerprints import ELSEWHERE, differences, fingerprinted, refuse_other
from pipeline.jobs import Job, Subject, load, made_context
from pipeline.plan import Task
from pipeline.schema import STAGES
from pipeline.stages import STAGE_FUNCTIONS
from pipeline.store import attributes as attributes_of

NAME = "verification.json"


@dataclass(frozen=True)
class Repetition:
    """A variable of some tasks of one stage that were done again."""

    stage: str
    variable: str
    tasks: int
    same: int
    """Tasks that made the same bytes."""
    equal: float
    """Share of equal values, over all of these tasks."""
    largest: float
    """Largest difference of two finite values, over the largest stored magnitude of the task; infinite where one of the
    two is not finite and they differ."""


@dataclass(frozen=True)
class Verification:
    """What was found on one class of machine."""

    hardware: str
    unlike: tuple[str, ...]
    """In what this machine and its libraries differ from those that filled the store: none promises the same bytes."""
    planned: int
    done: int
    damaged: tuple[str, ...]
    """Tasks, with the cause, whose output is not what their receipt says."""
    repetitions: tuple[Repetition, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts the promise of the same bytes."""
        return not self.damaged and (bool(self.unlike) or all(each.same == each.tasks for each in self.repetitions))


def verify(job: Job, sample: int, seed: int) -> Verification:
    """Checks every digest of a store, and does `sample` tasks of each stage again, drawn by `seed`; writes nothing.

    Raises StoreError if spec, weights, data or code are not those of the store.
    """
    subject, attributes = load(job), attributes_of(job.store)
    unlike = _unlike(job, subject, attributes)
    context = made_context(job, subject, attributes)
    done = context.store.done()
    tasks = [task for task in context.plan.all_tasks() if task.key in done]
    damaged = {error.key: str(error) for error in context.store.damaged(tasks)}
    sound = [task for task in tasks if task.key not in damaged]
    with reproducible():
        repeated = [each for task in _drawn(sound, sample, seed) for each in _repeated(context, task)]
    return Verification(
        hardware=hardware(),
        unlike=tuple(unlike),
        planned=sum(1 for _ in context.plan.all_tasks()),
        done=len(tasks),
        damaged=tuple(damaged.values()),
        repetitions=tuple(_summarised(repeated)),
    )


def _unlike(job: Job, subject: Subject, attributes: Mapping[str, Any]) -> list[str]:
    """In what the class of machine and the versions here differ from those that the store was made with."""
    ours = fingerprinted(job.spec, subject.model, subject.data)
    differ = differences(attributes["fingerprinted"], ours)
    refuse_other(job.store, [each for each in differ if not each.startswith(ELSEWHERE)])
    return differ


def keep(folder: Path, verification: Verification) -> None:
    """Writes it down beside the store, one verification for each class of machine."""
    file = folder / NAME
    known = json.loads(file.read_text()) if file.is_file() else {}
    known[verification.hardware] = asdict(verification)
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


@dataclass(frozen=True)
class _Repeated:
    """A variable that one task made again."""

    stage: str
    variable: str
    same: bool
    equal: int
    values: int
    largest: float


def _drawn(tasks: Sequence[Task], sample: int, seed: int) -> Iterator[Task]:
    """So many of each stage, or all there are."""
    random = np.random.default_rng(seed)
    for stage in STAGES:
        of_stage = [task for task in tasks if task.stage == stage]
        chosen = random.choice(len(of_stage), min(sample, len(of_stage)), replace=False)
        yield from (of_stage[index] for index in sorted(chosen.tolist()))


def _repeated(context: Context, task: Task) -> Iterator[_Repeated]:
    made = STAGE_FUNCTIONS[task.stage](context, task)
    stored = context.store.written(task, made)
    for name, values in made.items():
        before = stored[name]
        alike = (
            (values == before) | (np.isnan(values) & np.isnan(before)) if values.dtype.kind == "f" else values == before
        )
        same = values.tobytes() == before.tobytes()
        yield _Repeated(task.stage, name, same, int(alike.sum()), alike.size, _largest(values, before, alike))


def _largest(values: NDArray[Any], before: NDArray[Any], alike: NDArray[np.bool_]) -> float:
    """Largest difference over the largest magnitude before."""
    if alike.all():
        return 0.0
    ours, theirs = values[~alike].astype(np.float64), before[~alike].astype(np.float64)
    magnitude = np.abs(before[np.isfinite(before)].astype(np.float64)).max(initial=0)
    if not np.isfinite(ours - theirs).all() or magnitude == 0:
        return float("inf")
    return float(np.abs(ours - theirs).max() / magnitude)


def _summarised(repeated: Iterable[_Repeated]) -> Iterator[Repetition]:
    by_variable: dict[tuple[str, str], list[_Repeated]] = {}
    for each in repeated:
        by_variable.setdefault((each.stage, each.variable), []).append(each)
    for (stage, variable), group in by_variable.items():
        yield Repetition(
            stage=stage,
            variable=variable,
            tasks=len(group),
            same=sum(each.same for each in group),
            equal=sum(each.equal for each in group) / sum(each.values for each in group),
            largest=max(each.largest for each in group),
        )
