"""How a command line names a run: by its spec or its folder, and by the options that say where the folder lies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from pipeline.store.credentials import credentials_in_words
from pipeline.store.location import Location
from pipeline.store.runs import SPEC_COPY, location_of
from reports.runs import folder_of, is_spec, keeper_of
from srd.errors import InputError

SpecFile = Annotated[Path, typer.Argument(help="TOML spec of the audit.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="A run's folder, or the spec it was made from.", show_default=False)]
Out = Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/NAME beside SPEC")]
Runs = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of all runs; NAME is that of SPEC, or of its folder if SPEC is audit.toml.",
        show_default="runs beside SPEC",
    ),
]


def find_folder(run: Path, runs: Path | None, console: Console) -> Path:
    """Return the folder of a run, as `folder_of` does; tell where its store lies, if the copy of a spec in it says so.

    The folder may be somebody else's, and the place one that its reader would not ask for anything.
    """
    from pipeline.store.store import NAME

    folder = folder_of(run, runs)
    store = location_of(folder)
    is_own_spec = is_spec(run) and keeper_of(run) is None
    if not is_own_spec and store != Location(str(folder)) / NAME:
        keeper = next(each for each in (folder, folder.parent) if (each / SPEC_COPY).exists())
        console.print(Text(f"reading {store}, which {keeper / SPEC_COPY} names"))
    tell_credentials(store, console)
    return folder


def tell_credentials(store: Location, console: Console) -> None:
    """Tell where credentials of a store are looked for, before a request waits for what may not answer."""
    text = credentials_in_words(store)
    if text:
        console.print(Text(text))


def refuse_idle_options(run: Path, out: Path | None, source: Path | None, settings: Sequence[str] | None) -> None:
    """Refuse an option of `verify` that the other form of RUN needs.

    Raises
    ------
    InputError
        If there is one.
    """
    if is_spec(run) and source:
        raise InputError(f"--source {source}: {run} says itself where its network lies; leave it out, or name a FOLDER")
    if settings and (source or not is_spec(run)):
        raise InputError(f"--set {settings[0]}: {run} keeps the spec that was run; leave it out, or name your own spec")
    if not is_spec(run) and out:
        raise InputError(f"--out {out}: {run} is the run's folder already; leave it out, or name your own spec")


def refuse_idle_runs(finished: Sequence[Path], runs: Path | None, out: Path | None) -> None:
    """Refuse an option of `compare` that says nothing.

    Raises
    ------
    InputError
        If it does not.
    """
    if runs is not None and out is not None and not any(map(is_spec, finished)):
        raise InputError(f"--runs {runs}: no spec is named, and --out says where the comparison goes; leave it out")
