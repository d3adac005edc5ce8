"""An audit that a fault hits: its commands, its store, and what the store of an undisturbed run holds."""

from dataclasses import dataclass
from pathlib import Path

import misbehaviour
import torch
from audit_processes import Running, start_command, wait_for_end
from command_line import CommandEnd
from fault_table import FaultOutcome
from s3_server import objects
from small_audits import Finished, store_in, tree

from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.location import Location
from pipeline.store.store import Store

Outcomes = dict[str, FaultOutcome]


@dataclass(frozen=True)
class FaultTrial:
    """An audit that a fault hits, in a folder of its own."""

    reference: Finished
    folder: Path
    outcomes: Outcomes
    out: str = "run"

    @property
    def spec(self) -> Path:
        return self.reference.spec

    @property
    def context(self) -> Context:
        """Return the context of the undisturbed run."""
        return self.reference.context

    @property
    def store(self) -> Location:
        return store_in(self.folder / self.out)

    @property
    def misbehaviour(self) -> Path:
        """Return the file that says how the network misbehaves."""
        return self.folder / "misbehaviour"

    def misbehave(self, kind: str, task: Task) -> None:
        """Make the network misbehave on the images of a perturb task."""
        images = self.context.store.read_output(task, ["input"])["input"][:, 0]
        batch = misbehaviour.digest(self.context.model.normalise(torch.from_numpy(images)))
        self.misbehaviour.write_text(f"{kind} {batch}", encoding="utf-8")

    def start(self, *options: object) -> Running:
        return start_command("run", self.spec, "--out", self.out, *options, folder=self.folder)

    def run(self, *options: object) -> CommandEnd:
        return wait_for_end(self.start(*options))

    def done_tasks(self, store: Location | None = None) -> set[str]:
        """Return the keys of tasks that have a receipt, of which none may be false."""
        opened = Store(store or self.store)
        done = opened.receipts.task_keys()
        assert not list(opened.find_damage(map(Task.from_key, sorted(done))))
        return set(done)

    def settle(self, fault: str, end: CommandEnd, lost: int, again: CommandEnd, store: Location | None = None) -> None:
        """Note how a fault ended.

        `again` is the same command without the fault, which must make the reference's bytes.
        """
        assert again.code == 0, again.err
        same = contents(store or self.store) == tree(self.reference.job.store)
        assert same
        self.outcomes[fault] = FaultOutcome(end, lost, again, same)


def contents(store: Location) -> dict[str, str]:
    return tree(store) if store.path else objects(store)
