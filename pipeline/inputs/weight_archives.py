"""The kinds of files that torch writes, told apart by their content before anything in them is run."""

import tarfile
from enum import Enum
from io import BufferedReader
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch


class Archive(Enum):
    """A kind of file that torch writes, in words."""

    PICKLE = "a pickle"
    SCRIPT = "a TorchScript archive"
    PROGRAM = "an exported program (.pt2)"
    TAR = "an archive of torch before 0.1.10"

    def load(self, file: BufferedReader) -> object:
        """Return what a file of this kind holds. Code in it runs: for trusted files only."""
        if self is Archive.SCRIPT:
            return torch.jit.load(file, map_location="cpu")
        if self is Archive.PROGRAM:
            return dict(torch.export.load(file).state_dict)
        return torch.load(file, map_location="cpu", weights_only=False)


def archive_of(file: BufferedReader, path: Path) -> Archive:
    """Return the kind of an open file, which is at its beginning before and after."""
    try:
        if _is_tar(file):
            return Archive.TAR
        return _kind_of_zip(_names(file), path)
    finally:
        file.seek(0)


def _kind_of_zip(names: list[str], path: Path) -> Archive:
    if path.suffix == ".pt2" or any(name.rpartition("/")[2] == "archive_format" for name in names):
        return Archive.PROGRAM
    is_script = any("/code/" in name for name in names)
    return Archive.SCRIPT if is_script else Archive.PICKLE


def _names(file: BufferedReader) -> list[str]:
    """Return the names in a zip archive; none if a file is no such archive."""
    try:
        with ZipFile(file) as archive:
            return archive.namelist()
    except BadZipFile:
        return []


def _is_tar(file: BufferedReader) -> bool:
    """Return whether torch would take a file for a tar archive: it makes a folder before it refuses that."""
    try:
        tarfile.open(fileobj=file, mode="r:").close()
    except tarfile.TarError:
        return False
    finally:
        file.seek(0)
    return True
