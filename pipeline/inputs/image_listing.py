"""The image files below a folder that has one folder for each class, and what is left out there."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipeline.machine.files import OF_THE_PATH
from srd.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"})
SYSTEM = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"})
"""What systems put into folders, in small letters. Beside these, all names that begin with a dot are passed over."""
RELATIVE = "relative paths start at the folder of the spec"
OUTSIDE = "an image outside of the class folders has no class"
READ_ALREADY = "a link to a folder that is read elsewhere"
LONG = 12  # characters of a suffix
SHOWN_FOLDERS, SHOWN_REASONS = 4, 12


@dataclass(frozen=True)
class ImageListing:
    """The images of a data set, and what is said of the rest."""

    folders: tuple[str, ...]
    """The names of the folders of the classes, in the order of the alphabet."""
    files: tuple[Path, ...]
    n_left_out: int
    """The number of files and links that are not read."""
    notes: tuple[str, ...]
    """Sentences on what is left out, by reason, and on folders without images."""


def list_images(root: Path) -> ImageListing:
    """Return the images below the folders of the classes, at any depth, in the order of their paths.

    Hidden files, and those of systems, are passed over. A folder to which several paths lead is read once.

    Raises
    ------
    DataError
        If there are no class folders, if one cannot be the name of a class, if a folder cannot be listed, or if there
        are no images.
    """
    folders, left_out = _class_folders(root), LeftOut()
    with refuse_bad_path(f"data.path = {root}"):
        left_out.count("", (OUTSIDE for entry in _visible(root) if _is_image(entry.name) and not _is_folder(entry)))
        above, tops = {root.resolve(), *root.resolve().parents}, {folder.resolve() for folder in folders}
    classes = [_images_below(folder, above | (tops - {folder.resolve()}), left_out) for folder in folders]
    empty = [folder.name for folder, files in zip(folders, classes, strict=True) if not files]
    notes = (*left_out.sentences(), *([f"{_enumerate(empty)}: no image is there"] if empty else []))
    files = sorted(chain.from_iterable(classes))
    _refuse_none(root, files, notes)
    return ImageListing(tuple(folder.name for folder in folders), tuple(files), left_out.total, notes)


class LeftOut:
    """Counts of what is left out, by reason and class folder; "" is the folder of all classes."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def count(self, folder: str, reasons: Iterable[str]) -> None:
        """Count one thing of a folder for each reason."""
        for reason in reasons:
            self._counts.setdefault(reason, Counter())[folder] += 1

    @property
    def total(self) -> int:
        """Return the number of all things."""
        return sum(counts.total() for counts in self._counts.values())

    def sentences(self) -> Iterator[str]:
        """Yield a sentence for each of the most frequent reasons, and one for the others."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1].total(), item[0]))
        for reason, counts in ordered[:SHOWN_REASONS]:
            yield f"{_files(counts.total())} in {_enumerate(sorted(counts))}: {reason}"
        rest = sum(counts.total() for _, counts in ordered[SHOWN_REASONS:])
        if rest:
            yield f"{_files(rest)} with {len(ordered) - SHOWN_REASONS} other suffixes: not read"


@contextmanager
def refuse_bad_path(place: str) -> Iterator[None]:
    """Refuse a path that cannot be one, and one that cannot be listed, but not a disk that fails.

    Raises
    ------
    DataError
        With `place` and the way out.
    """
    try:
        yield
    except ValueError as error:
        raise DataError(f"{place} ({error}); {RELATIVE}") from None
    except OSError as error:
        if error.errno not in OF_THE_PATH:
            raise
        raise DataError(f"{place} ({error.strerror}); {RELATIVE}") from None


def _class_folders(root: Path) -> list[Path]:
    with refuse_bad_path(f"data.path = {root}: no such folder"):
        folders = [root / entry.name for entry in _visible(root) if _is_folder(entry)]
    if not folders:
        raise DataError(f"data.path = {root}: holds no folders; put the images of each class into one")
    for folder in folders:
        if not folder.name.isprintable():
            raise DataError(f"data.path: {folder.name!r}: the name is not plain UTF-8 text; rename the folder")
    return folders


def _images_below(top: Path, elsewhere: set[Path], left_out: LeftOut) -> list[Path]:
    """Return the images of a class, in the order of their paths. Links are followed after the folders beside them."""
    files, seen, waiting = list[Path](), set(elsewhere), deque([top])
    while waiting:
        folder = waiting.popleft()
        with refuse_bad_path(f"data.path: {folder}"):
            if folder.resolve() in seen:
                left_out.count(top.name, [READ_ALREADY])
                continue
            seen.add(folder.resolve())
            entries = _visible(folder)
            for entry in filter(_is_folder, entries):
                (waiting.append if entry.is_symlink() else waiting.appendleft)(folder / entry.name)
        names = [entry.name for entry in entries if not _is_folder(entry)]
        files += [folder / name for name in names if _is_image(name)]
        left_out.count(top.name, (_reason(name) for name in names if not _is_image(name)))
    return sorted(files)


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(filter(_is_visible, entries), key=lambda entry: entry.name)


def _is_visible(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name.lower() not in SYSTEM


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry.path).is_dir())


def count_unlisted_images(root: Path, listed: set[Path]) -> int:
    """Return how many image files below a folder are not listed; links are not followed, hidden files passed over."""
    with refuse_bad_path(f"data.path = {root}"):
        entries = [entry for folder, _, names in os.walk(root) for entry in (Path(folder, name) for name in names)]
    return sum(_is_image(file.name) and not file.name.startswith(".") and file not in listed for file in entries)


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES


def _reason(name: str) -> str:
    suffix = Path(name).suffix.lower()
    is_short = suffix.isprintable() and 0 < len(suffix) <= LONG
    return f"{suffix if is_short else 'a name without the suffix of an image'} is not read"


def _refuse_none(root: Path, files: list[Path], notes: tuple[str, ...]) -> None:
    if not files:
        known = ", ".join(sorted(SUFFIXES))
        raise DataError(f"data.path = {root}: its folders hold no image ({known}); {'; '.join(notes)}")


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _enumerate(folders: list[str]) -> str:
    names = [f"{name}/" if name else "data.path" for name in folders]
    more = f" and {len(names) - SHOWN_FOLDERS:,} more" * (len(names) > SHOWN_FOLDERS)
    return ", ".join(names[:SHOWN_FOLDERS]) + more
