"""How a command line names a network and its data without a spec, and the tables of a spec that it thereby means."""

from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Annotated, Any

import typer

Weights = Annotated[str | None, typer.Option(metavar="FILE", help="State dict of the network.", show_default=False)]
Classes = Annotated[
    str | None, typer.Option(metavar="FILE", help="Class order of the network's outputs.", show_default=False)
]
Images = Annotated[
    str | None, typer.Option("--data", metavar="PATH", help="Images: a folder, CSV or arrays.", show_default=False)
]
Masks = Annotated[
    str | None, typer.Option(metavar="PATH", help="Masks of the objects in the images.", show_default=False)
]

FOLDERS = ("timm:local-dir:", "hf:")
"""The beginnings of `model.spec` that a folder may follow."""


@dataclass(frozen=True)
class Named:
    """A network, and data if there are any, as a command line names them: paths start at the working directory."""

    model: str
    weights: str | None = None
    classes: str | None = None
    data: str | None = None
    masks: str | None = None

    def tables(self, home: Path) -> dict[str, Any]:
        """Return the tables [model] and [data] of a spec that lies in the folder `home`."""
        model = {"spec": _model_from(home, self.model), "weights": self.weights, "classes": self.classes}
        files = {key: value and _path_from(home, value) for key, value in model.items() if key != "spec"}
        tables = {"model": {"spec": model["spec"], **_without_nothing(files)}}
        if self.data is not None:
            data = {"path": _path_from(home, self.data), "masks": self.masks and _path_from(home, self.masks)}
            tables["data"] = _without_nothing(data)
        return tables


def _without_nothing(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def _path_from(home: Path, path: str) -> str:
    """Return a path as a spec in another folder writes it; absolute paths and the demo's names stay as they are."""
    if Path(path).is_absolute() or path.startswith("demo:"):
        return path
    return relpath(path, home)


def _model_from(home: Path, spec: str) -> str:
    place, colon, name = spec.rpartition(":")
    if place.endswith(".py"):
        return f"{_path_from(home, place)}{colon}{name}"
    for scheme in FOLDERS:
        folder = spec.removeprefix(scheme)
        if spec.startswith(scheme) and Path(folder).is_dir():
            return f"{scheme}{_path_from(home, folder)}"
    return spec
