"""What was found when a run was verified, as its folder keeps it: one finding for each class of machine."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

NAME = "verification.json"


@dataclass(frozen=True)
class Repetition:
    """A variable of the tasks of one stage that were done again."""

    stage: str
    variable: str
    tasks: int
    same: int
    """Tasks that made the same bytes."""
    equal: float
    """Share of equal values, over all of these tasks."""
    largest: float | None
    """Largest difference of a value, over the largest stored magnitude of its task; None where one of the two is not
    finite."""


@dataclass(frozen=True)
class Verification:
    """What was found on one class of machine."""

    store: str
    """Fingerprint of what was verified."""
    hardware: str
    unlike: tuple[str, ...]
    """In what this machine and its libraries differ from those that filled the store: then no bytes are promised."""
    planned: int
    done: int
    damaged: tuple[tuple[str, str], ...]
    """Tasks whose output is not what their receipt says, with what is wrong."""
    repetitions: tuple[Repetition, ...]

    @property
    def is_kept(self) -> bool:
        """Whether the promise of the same bytes is kept: nothing is damaged, and the same class makes the same."""
        return not self.damaged and (bool(self.unlike) or all(each.same == each.tasks for each in self.repetitions))


def write_verification(folder: Path, verification: Verification) -> None:
    """Writes it down in the run's folder, in place of those of other stores, or on the same class of machine."""
    found = {each.hardware: each for each in (*read_verifications(folder, verification.store), verification)}
    content = _ALL.dump_json(tuple(each for _, each in sorted(found.items())), indent=1)
    (folder / NAME).write_bytes(content + b"\n")


def delete_verifications(folder: Path) -> None:
    """What was found holds no more."""
    (folder / NAME).unlink(missing_ok=True)


def read_verifications(folder: Path, store: str) -> tuple[Verification, ...]:
    """What was found on each class of machine of the store with this fingerprint."""
    file = folder / NAME
    found = _ALL.validate_json(file.read_bytes()) if file.is_file() else ()
    return tuple(each for each in found if each.store == store)


_ALL = TypeAdapter(tuple[Verification, ...])
