"""The findings of verifications, as a run's folder holds them: one for each class of machine."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from pipeline.machine.files import TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.machine.writing import remove_file, write_files
from srd.errors import StoreError

NAME = "verification.json"
WAY_OUT = "remove it, and verify the run again"


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
    other_sources: tuple[str, ...] = ()
    """The stages of which no task was done again, because their sources are not those that made the store."""

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
    write_files(folder, [(NAME, content + b"\n")])


def delete_verifications(folder: Path) -> None:
    """Delete the verifications in the run's folder, which are no longer true."""
    remove_file(folder, NAME)


def read_verifications(folder: Path, store: str) -> tuple[Verification, ...]:
    """Return the verifications of the store with this fingerprint, one for each class of machine.

    Raises
    ------
    StoreError
        If their file cannot be read, or holds anything else.
    """
    file = folder / NAME
    if not os.path.lexists(file):
        return ()
    try:
        content = read_file(file, TEXT)
    except UnreadableFile as error:
        raise StoreError(f"{file}: {error}; {WAY_OUT}") from None
    with refuse_what_a_parser_raises(StoreError, str(file), WAY_OUT):
        found = _ALL.validate_json(content)
    return tuple(each for each in found if each.store == store)


_ALL = TypeAdapter(tuple[Verification, ...])
