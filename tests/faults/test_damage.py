"""Shards that are damaged after their receipt: the run finds them where it reads them, `verify` finds all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Command, CommandEnd
from fault_trials import FaultTrial
from small_audits import copy_store, object_path, path_of, receipts, shard_key, tree

from pipeline.plan.dependencies import Dependencies
from pipeline.plan.schema import PREPARED
from pipeline.plan.tasks import Task
from pipeline.store.receipts import RECEIPTS
from pipeline.store.store import Store

pytestmark = pytest.mark.faults

Damage = Callable[[Path], object]


def flip(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


DAMAGES: Mapping[str, Damage] = {
    "a shard is damaged": flip,
    "a shard is truncated": lambda shard: shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2]),
    "a shard is empty": lambda shard: shard.write_bytes(b""),
    "a shard is missing": Path.unlink,
}


@pytest.fixture
def trial(trial_with_attacks: FaultTrial) -> FaultTrial:
    """A finished run."""
    copy_store(trial_with_attacks.reference.job.store, path_of(trial_with_attacks.store))
    return trial_with_attacks


def writers(trial: FaultTrial) -> dict[str, Task]:
    """A task that writes it, for every array."""
    plan = trial.context.plan
    return {variable.name: task for task in plan.all_tasks() for variable in plan.variables(task)}


def run(trial: FaultTrial, command: Command) -> CommandEnd:
    return command("run", trial.spec, "--out", trial.out, "--stage", "score")


def verify_and_repair(trial: FaultTrial, command: Command, n_damaged: int) -> CommandEnd:
    end = command("verify", trial.out, "--sample", 0, "--repair")
    assert end.code == 4
    assert f"{n_damaged} tasks are to be done again; run the same spec" in end.err
    return end


@pytest.mark.parametrize("fault", DAMAGES)
def test_damage_of_a_shard_is_repaired_within_the_run_that_reads_it(
    trial: FaultTrial, command: Command, fault: str
) -> None:
    """All that read directly from the damaged task are done again; what none of them reads, `verify` finds."""
    reference, unseen = tree(trial.reference.job.store), []
    for name, writer in writers(trial).items():
        DAMAGES[fault](path_of(trial.store) / shard_key(trial.context.plan, writer, name))
        withdraw_readers(trial, writer)
        end = run(trial, command)
        assert end.code == 0, end.err
        if tree(trial.store) != reference:
            unseen.append(name)
            verify_and_repair(trial, command, 1)
        trial.settle(fault, end, 1, run(trial, command))
    assert set(unseen) < set(writers(trial))
    trial.outcomes[fault] = replace(trial.outcomes[fault], unseen=tuple(unseen))


def test_what_was_prepared_is_mended_before_any_task(trial: FaultTrial, command: Command) -> None:
    for name in PREPARED:
        for damage in DAMAGES.values():
            Store(trial.store).receipts.withdraw(receipts(trial.store))
            damage(path_of(trial.store) / name / "c" / "0")
            trial.settle("what was prepared is damaged", run(trial, command), 0, run(trial, command))


def withdraw_readers(trial: FaultTrial, writer: Task) -> None:
    dependencies = Dependencies(trial.context.plan, trial.context.target_images.tolist())
    for task in trial.context.plan.all_tasks():
        if writer in dependencies.of(task):
            object_path(trial.store, RECEIPTS, task.key).unlink()


def test_damage_after_a_run_is_found_by_verify(trial: FaultTrial, command: Command) -> None:
    for name, writer in writers(trial).items():
        flip(path_of(trial.store) / shard_key(trial.context.plan, writer, name))
    assert run(trial, command).code == 0
    damaged = len(set(writers(trial).values()))
    end = verify_and_repair(trial, command, damaged)
    trial.settle("damage after a run", end, damaged, run(trial, command))
