"""The images of an audit: those of a collection that were chosen, as the network reads them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.inputs.collection import IGNORED, OBJECT, Collection, Parts, Picture, Sample
from pipeline.inputs.geometry import Geometry
from pipeline.machine.phases import Tell, count_aloud, tell_nobody
from srd.errors import DataError


class ImageSet:
    """Some images of a collection, in the order of their names, resized and cut."""

    def __init__(self, collection: Collection, rows: Sequence[int], geometry: Geometry) -> None:
        self._samples: list[Sample] = [collection.samples[row] for row in sorted(rows)]
        self._geometry = geometry
        self._listed = collection.notes
        self.ids = tuple(sample.id for sample in self._samples)
        self.labels = tuple(sample.label for sample in self._samples)
        self.classes = collection.classes
        self.has_masks = collection.has_masks
        self.notes = collection.notes
        n, whole = len(self._samples), len(collection.samples)
        chosen = f"{n:,}" if n == whole else f"{n:,} of {whole:,}"
        self.description = f"{chosen} images of {collection.origin}"

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.stack([self._pixels(row, self._samples[row].image.read()) for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([self._parts(row) == OBJECT for row in rows]))

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([self._parts(row) == IGNORED for row in rows]))

    def check(self, tell: Tell = tell_nobody) -> None:
        """Read every image and mask once, and note the images of which nothing is visible or known."""
        invisible: list[str] = []
        first: torch.Size | None = None
        for row, sample in enumerate(count_aloud(self._samples, "reading images", tell)):
            picture = sample.image.read()
            shape = self._pixels(row, picture).shape
            first = first or shape
            self._refuse_other_shape(row, shape, first)
            self._refuse_other_size(sample, picture)
            invisible += [sample.id] * picture.is_invisible
        unknown = [sample.id for sample in self._samples if self.has_masks and sample.mask is None]
        self.notes = (
            *self._listed,
            *_in_words(invisible, "alpha is 0 everywhere; the network sees the colours without it"),
            *_in_words(unknown, "no mask says where the object is"),
        )

    @cached_property
    def digest(self) -> str:
        digest = sha256(repr((self.ids, self.labels, self.classes, self._geometry)).encode())
        for sample in self._samples:
            digest.update(sha256(sample.image.content()).digest())
            if self.has_masks:
                digest.update(sha256(sample.mask.content()).digest() if sample.mask else b"none")
        digest.update(str(self.images(range(1)).shape).encode())
        return digest.hexdigest()

    def _pixels(self, row: int, picture: Picture) -> Tensor:
        pixels = self._geometry.apply(self._samples[row].image.place, picture.pixels)
        values = pixels.astype(np.float32) / 255 if pixels.dtype == np.uint8 else pixels
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))

    def _parts(self, row: int) -> Parts:
        sample = self._samples[row]
        if sample.mask is None:
            return _unknown(self._pixels(row, sample.image.read()))
        return self._geometry.apply_to_mask(sample.mask.place, sample.mask.read())

    def _refuse_other_shape(self, row: int, shape: torch.Size, first: torch.Size) -> None:
        if shape != first:
            ours, theirs = (self._samples[at].image.place for at in (row, 0))
            raise DataError(
                f"{ours} is {shape[2]}x{shape[1]}, {theirs} is {first[2]}x{first[1]}: "
                "set model.resize, such as resize = [256, 224]"
            )

    def _refuse_other_size(self, sample: Sample, picture: Picture) -> None:
        """Refuse a mask that does not have the size of its image, both upright and not yet resized."""
        if sample.mask is None:
            return
        theirs, parts = picture.pixels.shape[:2], sample.mask.read()
        own = parts.shape
        if own != theirs:
            raise DataError(
                f"{sample.mask.place}: a mask must have the size of its image; it is {own[1]}x{own[0]}, "
                f"{sample.image.place} is {theirs[1]}x{theirs[0]} when upright; draw it on the upright image"
            )
        self._geometry.apply_to_mask(sample.mask.place, parts)


def _unknown(image: Tensor) -> NDArray[np.uint8]:
    return np.full(image.shape[1:], IGNORED, np.uint8)


def _in_words(names: Sequence[str], what: str) -> Iterator[str]:
    if names:
        more = f" and {len(names) - 1:,} more" * (len(names) > 1)
        yield f"{names[0]}{more}: {what}"
