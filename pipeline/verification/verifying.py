"""The verification of a store: it holds what its receipts say, and its tasks make the same bytes again."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.execution.fingerprints import ELSEWHERE, fingerprinted_facts, lasting_differences, refuse_other
from pipeline.execution.job import Job
from pipeline.execution.subjects import load_subject, make_context
from pipeline.machine.environment import hardware, reproducible
from pipeline.plan.dependencies import Dependencies
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.attributes import FingerprintedFacts
from pipeline.store.store import attributes as attributes_of
from pipeline.verification.findings import Repetition, Verification
from pipeline.verification.stored_bytes import StoredBytes, check_bytes


def verify(job: Job, sample: int, seed: int) -> Verification:
    """Check every digest of a store, and do `sample` tasks of each stage again, drawn by `seed`; write nothing.

    Of a damaged store no task is done again: the network that the job names is not even imported. Nor are the tasks of
    a stage whose sources are not those that made the store.

    Raises
    ------
    StoreError
        If spec, weights or data are not those of the store.
    """
    held = check_bytes(job.store)
    if held.damaged:
        return _findings(held, (), (), ())
    subject, attributes = load_subject(job), attributes_of(job.store)
    made = attributes.fingerprinted
    ours = fingerprinted_facts(job.spec, subject.model, subject.data, attributes.plan)
    unlike = _unlike(job, made, ours)
    others = tuple(stage for stage in STAGES if made.sources.get(stage) != ours.sources.get(stage))
    context = make_context(job, subject)
    repeatable = [task for task in _tasks_with_their_input(context, held.done) if task.stage not in others]
    with reproducible():
        repeated = [each for task in _draw(repeatable, sample, seed) for each in _repeat(context, task)]
    return _findings(held, unlike, others, tuple(_summaries(repeated)))


def _findings(
    held: StoredBytes, unlike: Sequence[str], others: tuple[str, ...], repetitions: tuple[Repetition, ...]
) -> Verification:
    return Verification(
        store=held.fingerprint,
        hardware=hardware(),
        unlike=tuple(unlike),
        planned=held.planned,
        done=len(held.done),
        damaged=held.damaged,
        repetitions=repetitions,
        other_sources=others,
    )


def _tasks_with_their_input(context: Context, done: Sequence[Task]) -> list[Task]:
    """Return the tasks of which all that they read is there."""
    dependencies = Dependencies(context.plan, context.target_images.tolist())
    there = frozenset(done)
    return [task for task in done if there.issuperset(dependencies.of(task))]


def _unlike(job: Job, made: FingerprintedFacts, ours: FingerprintedFacts) -> list[str]:
    differ = lasting_differences(made, ours)
    refuse_other(job.store, [each for each in differ if not each.startswith(ELSEWHERE)])
    return differ


def _draw(tasks: Sequence[Task], sample: int, seed: int) -> Iterator[Task]:
    """Yield this number of tasks of each stage, or all there are."""
    random = np.random.default_rng(seed)
    for stage in STAGES:
        of_stage = [task for task in tasks if task.stage == stage]
        chosen = random.choice(len(of_stage), min(sample, len(of_stage)), replace=False) if of_stage else np.array([])
        yield from (of_stage[int(index)] for index in sorted(chosen))


@dataclass(frozen=True)
class _RepeatedVariable:
    """A variable that one task made again."""

    stage: str
    variable: str
    same: bool
    equal: int
    values: int
    largest: float | None


def _repeat(context: Context, task: Task) -> Iterator[_RepeatedVariable]:
    made = compute(context, task)
    stored = context.store.read_output(task, made)
    for name, values in made.items():
        before = stored[name]
        unequal = (values != before) & ~((values != values) & (before != before))  # noqa: PLR0124  NaN equals NaN
        same, largest = values.tobytes() == before.tobytes(), _largest(values, before, unequal)
        yield _RepeatedVariable(task.stage, name, same, int((~unequal).sum()), values.size, largest)


def _largest(values: NDArray[Any], before: NDArray[Any], unequal: NDArray[np.bool_]) -> float | None:
    if not unequal.any():
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(values.astype(np.float64) - before.astype(np.float64))[unequal].max()
    magnitude = np.abs(before[np.isfinite(before)].astype(np.float64)).max(initial=0)
    relative = float(apart / magnitude) if magnitude else float("nan")
    return relative if np.isfinite(relative) else None


def _summaries(repeated: Iterable[_RepeatedVariable]) -> Iterator[Repetition]:
    groups: dict[tuple[str, str], list[_RepeatedVariable]] = {}
    for each in repeated:
        groups.setdefault((each.stage, each.variable), []).append(each)
    for (stage, variable), group in groups.items():
        same, equal = sum(each.same for each in group), sum(each.equal for each in group)
        largest = [each.largest for each in group]
        yield Repetition(
            stage=stage,
            variable=variable,
            tasks=len(group),
            same=same,
            equal=equal / sum(each.values for each in group),
            largest=None if None in largest else max(each for each in largest if each is not None),
        )
