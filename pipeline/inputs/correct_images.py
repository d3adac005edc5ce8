"""The images that a network classifies as they are labelled, of data whose spec asks for these alone."""

from dataclasses import replace
from pathlib import Path

import torch

from pipeline.inputs.answers import find_right, logits_of, refuse_other_channels, refuse_unless_logits
from pipeline.inputs.collection import Collection
from pipeline.inputs.data import Data, collect, load_data
from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.image_set import ImageSet
from pipeline.inputs.models import LoadedModel
from pipeline.inputs.sampling import choosing_order
from pipeline.machine.phases import Phase, Tell, tell_nobody
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec
from srd.errors import DataError

BATCH = 32


def load_images(data: DataSpec, spec: ModelSpec, base: Path, model: LoadedModel, tell: Tell = tell_nobody) -> Data:
    """Return the images of a spec as `load_data` does, of `only_correct` those that the network classifies correctly.

    With `data.n` images are taken, in the order of the choice, until so many are correct.

    Raises
    ------
    DataError
        If fewer are correct, or as `load_data` raises it.
    ModelError
        If the network cannot read them.
    """
    if not data.only_correct or data.kind == "demo":
        return load_data(data, spec, base, tell)
    collection = collect(data, spec, base)
    everything = ImageSet(collection, range(len(collection.samples)), geometry_of(spec))
    kept, seen = _correct(data, spec, collection, everything, model, tell)
    wanted = data.n or 1
    if len(kept) < wanted:
        raise DataError(
            f"data.only_correct: {len(kept)} of {seen} images are classified as they are labelled, data.n asks for "
            f"{wanted}; ask for fewer, or check model.classes, model.mean and model.std"
        )
    wrong = f"{seen - len(kept):,} of {seen:,} images"
    told = f"data.only_correct: {wrong}, which are not classified as they are labelled, are left out"
    chosen = ImageSet(replace(collection, notes=(*collection.notes, told)), kept, geometry_of(spec))
    chosen.check(tell)
    return chosen


def _correct(
    data: DataSpec, spec: ModelSpec, collection: Collection, images: ImageSet, model: LoadedModel, tell: Tell
) -> tuple[list[int], int]:
    """Return the rows of the correct images, `data.n` at most, and how many were looked at until then."""
    order, kept, seen = choosing_order(collection, data), list[int](), 0
    for start in range(0, len(order), BATCH):
        tell(Phase("looking for images that are classified correctly", f"{len(kept):,} of {start:,}"))
        rows = order[start : start + BATCH]
        for row, is_correct in zip(rows, _are_correct(spec, images, rows, model), strict=True):
            seen += 1
            kept += [row] * is_correct
            if len(kept) == data.n:
                return kept, seen
    return kept, seen


def _are_correct(spec: ModelSpec, images: ImageSet, rows: list[int], model: LoadedModel) -> list[bool]:
    refuse_other_channels(spec, images.images(rows[:1]))
    place = f"model.spec = {spec.spec!r}"
    with torch.no_grad():  # one at a time, as images may have several sizes until they are checked
        logits = torch.cat([logits_of(model.model, images.images([row]), place) for row in rows]).cpu()
    refuse_unless_logits(logits, len(images.classes), spec)
    found: list[bool] = find_right(logits, torch.tensor([images.labels[row] for row in rows]), spec).tolist()
    return found
