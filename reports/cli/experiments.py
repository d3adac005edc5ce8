"""Commands of experiments share their progress, and the folder of their page."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from pipeline.machine.writing import File, remove_folders, write_files
from reports.page import STYLE, style_sheet
from reports.plot_primitives import Picture
from reports.result import ResultModel
from reports.runs import PAGE

T = TypeVar("T")


def track_on_terminal(items: Iterable[T], doing: str, console: Console, total: int | None = None) -> Iterable[T]:
    """Yield items while a bar on a terminal shows how many of the total were taken: the length, if it is not given."""
    return track(items, doing, total, console=console, disable=not console.is_terminal)


def result_file(name: str, result: ResultModel) -> File:
    """Return the file of a result."""
    return name, (result.model_dump_json(indent=1) + "\n").encode()


def write_page(folder: Path, home: str, page: str, result: File, drawn: Picture, more: Sequence[File] = ()) -> Path:
    """Write a page, its result, its figure and more files into a folder of their own, and return the path of the page.

    Parameters
    ----------
    home
        The name of that folder in the run's. What it held is removed.
    """
    name = Path(PAGE).name
    files = [*more, result, (drawn.file, drawn.svg), (STYLE, style_sheet().encode()), (name, page.encode())]
    remove_folders(folder, [home])
    write_files(folder, [(f"{home}/{file}", content) for file, content in files])
    return folder / home / name
