"""The copy of its spec that a run keeps: what other commands read, with all that the command line has changed."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.machine.files import TEXT, UnreadableFile, read_file
from pipeline.machine.writing import write_files
from pipeline.spec.settings import Setting, apply_settings
from pipeline.spec.toml import read_toml
from pipeline.store.runs import SPEC_COPY
from reports.formatting import toml
from srd.errors import InputError, SpecError


def copy_spec(spec: Path, folder: Path, settings: Sequence[Setting]) -> None:
    """Write the spec into the folder: as it is, unless it lies there, or, where settings change it, with these."""
    copy = folder / SPEC_COPY
    if settings:
        write_files(folder, [(SPEC_COPY, _content(spec, settings))])
    elif not copy.exists() or not copy.samefile(spec):
        try:
            content = read_file(spec, TEXT)
        except UnreadableFile as error:
            raise SpecError(f"{spec}: {error}; name a file") from None
        write_files(folder, [(SPEC_COPY, content)])


def refuse_overwriting(spec: Path, folder: Path, settings: Sequence[Setting]) -> None:
    """Refuse settings of a spec that lies where the copy goes.

    Raises
    ------
    InputError
        If it does.
    """
    copy = folder / SPEC_COPY
    if settings and copy.exists() and copy.samefile(spec):
        raise InputError(
            f"{settings[0]}: {spec} lies where the changed copy goes; write it into the spec, "
            "or name another folder with --out"
        )


def _content(spec: Path, settings: Sequence[Setting]) -> bytes:
    """Return the spec with its settings, which its first lines name."""
    head = "".join(f"# {each}\n" for each in settings)
    return f"# {spec.name} as changed by\n{head}\n{toml(apply_settings(read_toml(spec), settings))}".encode()
