"""Model and data of a spec together: the data have the size that the model reads, and say how many logits it has."""

from collections.abc import Collection, Container
from dataclasses import replace
from pathlib import Path

import torch

from pipeline.inputs.answers import refuse_other_channels
from pipeline.inputs.correct_images import load_images
from pipeline.inputs.data import Data, open_data
from pipeline.inputs.models import LoadedModel, load_model
from pipeline.inputs.outputs import settle_output
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.spec.audit import SubjectSpec


def load_model_and_data(
    spec: SubjectSpec, base: Path, trusted: Collection[Path] = (), tell: Tell = tell_nobody
) -> tuple[LoadedModel, Data]:
    """Return model and images of a spec whose relative paths start at `base`, after every image was read once.

    Raises
    ------
    ModelError, DataError
        If they cannot be loaded, or if the model's output holds no logits for the classes of the data.
    """
    loaded, _ = open_model_and_data(spec, base, trusted=trusted)
    return loaded, load_images(spec.data, loaded.reading(spec.data), base, loaded, tell)


def open_model_and_data(
    spec: SubjectSpec, base: Path, ids: Container[str] | None = None, trusted: Collection[Path] = ()
) -> tuple[LoadedModel, Data]:
    """Return the same, without reading all images: for processes of a checked run.

    `ids` names the chosen images of data of which the network chose.
    """
    loaded = load_model(spec.model, base, trusted)
    read = loaded.reading(spec.data)
    data = open_data(spec.data, read, base, ids)
    return settle_model(loaded, data), data


def settle_model(loaded: LoadedModel, data: Data) -> LoadedModel:
    """Return a model that answers to images with its logits alone, one for each class.

    Raises
    ------
    ModelError
        If it does not read such images, or if no part of its output, or not one alone, holds the logits.
    """
    first = data.images(range(1))
    refuse_other_channels(loaded.spec, first)
    with torch.no_grad():
        notes = settle_output(loaded.model, loaded.asked, first, len(data.classes))
    return replace(loaded, notes=(*loaded.notes, *notes))
