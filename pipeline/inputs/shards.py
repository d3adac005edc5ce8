"""The index of a state dict that lies in several files, as Hugging Face's libraries write it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from torch import Tensor

from pipeline.machine.files import LONG, TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from srd.errors import ModelError

END = ".index.json"
"""The end of the name of an index."""


@dataclass(frozen=True)
class Index:
    """The file in which each tensor of a state dict lies."""

    path: Path
    file_of: Mapping[str, Path]

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files, each once, by name."""
        return tuple(sorted(set(self.file_of.values())))

    def join(self, parts: Mapping[Path, object]) -> dict[str, Tensor]:
        """Return the state dict, given the content of each file.

        Raises
        ------
        ModelError
            If a file lacks a tensor that the index names in it, or holds one that it does not name there.
        """
        joined: dict[str, Tensor] = {}
        for file, part in parts.items():
            held = part if isinstance(part, dict) else {}
            named = {name for name, place in self.file_of.items() if place == file}
            odd = sorted(map(str, named ^ held.keys()))
            if odd or not all(isinstance(tensor, Tensor) for tensor in held.values()):
                what = f"{shorten(repr(odd[0]), LONG)} is in one of the two alone" if odd else "it holds no state dict"
                raise ModelError(f"model.weights = {self.path}: does not fit {file.name}: {what}; fetch both again")
            joined |= held
        return joined


def is_index(weights: Path) -> bool:
    """Return whether a file of weights is an index, by its name."""
    return weights.name.endswith(END)


def read_index(path: Path) -> Index:
    """Return the index in a file.

    Raises
    ------
    ModelError
        If it is none, or names files that do not lie beside it.
    """
    place = f"model.weights = {path}"
    try:
        content = read_file(path, TEXT)
    except UnreadableFile as error:
        raise ModelError(f"{place}: {error}; relative paths start at the folder of the spec") from None
    way_out = "name the file that lies beside the shards as they were published"
    with refuse_what_a_parser_raises(ModelError, f"{place}: is no index of weights", way_out):
        names = json.loads(content.decode())["weight_map"]
        if not (isinstance(names, dict) and names and all(map(_is_entry, names.items()))):
            raise ModelError(f"{place}: weight_map must name, for each tensor, a file that lies beside it; {way_out}")
        return Index(path, {name: path.parent / file for name, file in names.items()})


def _is_entry(item: tuple[object, object]) -> bool:
    """Return whether an entry names a tensor and a plain name of a file that is no index itself."""
    name, file = item
    if not (isinstance(name, str) and name.isprintable() and isinstance(file, str) and file.isprintable()):
        return False
    return file not in {"", ".", ".."} and Path(file).name == file and "\\" not in file and not file.endswith(END)
