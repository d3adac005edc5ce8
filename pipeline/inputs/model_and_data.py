"""Model and data of a spec together: the data have the size that the model reads, and say how many logits it has."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import torch

from pipeline.inputs.data import Data, load_data, open_data
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.inputs.outputs import settle_output
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.spec.audit import DataSpec, SubjectSpec
from pipeline.spec.model import ModelSpec

Open = Callable[[DataSpec, ModelSpec, Path], Data]


def load_model_and_data(
    spec: SubjectSpec, base: Path, trusted: Collection[Path] = (), tell: Tell = tell_nobody
) -> tuple[LoadedModel, Data]:
    """Return model and images of a spec whose relative paths start at `base`, after every image was read once.

    Raises
    ------
    ModelError, DataError
        If they cannot be loaded, or if the model's output holds no logits for the classes of the data.
    """
    return _open(spec, base, trusted, lambda data, model, base: load_data(data, model, base, tell))


def open_model_and_data(spec: SubjectSpec, base: Path, trusted: Collection[Path] = ()) -> tuple[LoadedModel, Data]:
    """Return the same, without reading all images: for processes of a checked run."""
    return _open(spec, base, trusted, open_data)


def _open(spec: SubjectSpec, base: Path, trusted: Collection[Path], images: Open) -> tuple[LoadedModel, Data]:
    loaded = load_model(spec.model, base, trusted)
    data = images(spec.data, loaded.reading(spec.data), base)
    with torch.no_grad():
        notes = settle_output(loaded.model, spec.model, data.images(range(1)), len(data.classes))
    return replace(loaded, notes=(*loaded.notes, *notes)), data
