"""The shape of the images that a network reads, where no data show it."""

from collections.abc import Iterator
from itertools import product

import torch

from pipeline.inputs.answers import ask, logits_of
from pipeline.inputs.data import COLOURS
from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.model_and_data import settle_model
from pipeline.inputs.models import LoadedModel
from pipeline.inputs.noise_images import NoiseImages
from pipeline.inputs.outputs import count_outputs
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import ExactSize
from srd.errors import ModelError

Shape = tuple[int, int, int]
"""(channels, height, width)"""
SIDES = (224, 32, 64, 28, 96, 128, 256, 299, 384)
"""The sides of square images that are tried in turn, the common ones first."""


def settle_on_noise(loaded: LoadedModel) -> tuple[LoadedModel, NoiseImages, str]:
    """Return a model that answers with its logits alone, noise of the shape that it reads, and who says this shape.

    Raises
    ------
    ModelError
        If nobody says so and the network reads none of the shapes that are tried, or as `settle_model` raises it.
    """
    said = _said_size(loaded.spec)
    sizes = [said] if said else [(side, side) for side in SIDES]
    shape = _first_that_is_read(
        loaded, [(channels, *size) for channels, size in product(_channels(loaded.spec), sizes)]
    )
    origin = "model.resize and model.crop" if loaded.preprocessing is None else loaded.preprocessing.origin
    noise = NoiseImages(shape, 0)
    place, first = f"model.spec = {loaded.asked.spec!r}", noise.images(range(1))
    with torch.no_grad():
        n = count_outputs(loaded.model, loaded.asked, first) if loaded.asked.output is None else 0
        settled = settle_model(loaded, NoiseImages(shape, n))
        n = logits_of(settled.model, first, place)[0].numel()
    return settled, NoiseImages(shape, n), origin if said else "a trial: the first shape that the network read"


def _first_that_is_read(loaded: LoadedModel, shapes: list[Shape]) -> Shape:
    refusals: list[ModelError] = []
    for shape in shapes:
        try:
            with torch.no_grad():
                ask(loaded.model, NoiseImages(shape, 0).images(range(1)), f"model.spec = {loaded.asked.spec!r}")
        except ModelError as error:
            refusals.append(error)
        else:
            return shape
    others = f"; {len(shapes) - 1} other shapes were tried as well" * (len(shapes) > 1)
    raise ModelError(f"{refusals[0]}{others}") from refusals[0]


def _said_size(spec: ModelSpec) -> tuple[int, int] | None:
    geometry = geometry_of(spec)
    if geometry.crop:
        return geometry.crop
    if isinstance(geometry.resize, ExactSize):
        return geometry.resize.height, geometry.resize.width
    return (geometry.resize, geometry.resize) if geometry.resize else None


def _channels(spec: ModelSpec) -> Iterator[int]:
    """Yield the numbers of channels that the images may have, the likely one first."""
    if spec.channels:
        yield spec.channels
    elif spec.mean and len(spec.mean) > 1:
        yield len(spec.mean)
    else:
        yield from (COLOURS, 1)
