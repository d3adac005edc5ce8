"""The findings of verifications, as a run's folder holds them: one for each class of machine."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

NAME = "verification.json"


@dataclass(frozen=True)
class Repetition:
    """A variable of those tasks of one stage that were done again."""

    stage: str
    variable: str
    tasks: int
    same: int
    """The number of tasks that made the same bytes."""
    equal: float
    """The share of equal values, over all of these tasks."""
    largest: float | None
    """The largest difference of a value, divided by the largest stored magnitude of its task; None if one of the two
    is not finite."""


@dataclass(frozen=True)
class Verification:
    """The findings on one class of machine."""

    store: str
    """The fingerprint of the verified store."""
    hardware: str
    unlike: tuple[str, ...]
    """The facts in which this machine and its libraries differ from those that filled the store. If there are any,
    no bytes are promised."""
    planned: int
    done: int
    damaged: tuple[tuple[str, str], ...]
    """The tasks whose output is not what their receipt says, with what is wrong."""
    repetitions: tuple[Repetition, ...]

    @property
    def is_kept(self) -> bool:
        """Return whether the promise of the same bytes is kept.

        It is kept if nothing is damaged, and if the same class of machine makes the same bytes.
        """
        return not self.damaged and (bool(self.unlike) or all(each.same == each.tasks for each in self.repetitions))


def write_verification(folder: Path, verification: Verification) -> None:
    """Write a verification into the run's folder.

    It replaces those of other stores, and that on the same class of machine.
    """
    found = {each.hardware: each for each in (*read_verifications(folder, verification.store), verification)}
    content = _ALL.dump_json(tuple(each for _, each in sorted(found.items())), indent=1)
    (folder / NAME).write_bytes(content + b"\n")


def delete_verifications(folder: Path) -> None:
    """Delete the verifications in the run's folder, which are no longer true."""
    (folder / NAME).unlink(missing_ok=True)


def read_verifications(folder: Path, store: str) -> tuple[Verification, ...]:
    """Return the verifications of the store with this fingerprint, one for each class of machine."""
    file = folder / NAME
    found = _ALL.validate_json(file.read_bytes()) if file.is_file() else ()
    return tuple(each for each in found if each.store == store)


_ALL = TypeAdapter(tuple[Verification, ...])
