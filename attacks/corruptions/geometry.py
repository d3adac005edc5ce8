"""Geometric changes and their inverses, which move a map back into the frame of the clean image.

Every change is an affine motion about the centre of the image. The image is mirrored beyond its edges, so that no new
edge appears in the picture. Images and maps are read bilinearly, in double precision: a motion by whole pixels is
exact.
"""

import math

import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from attacks.corruptions.per_image import Image, each_image
from attacks.corruptions.resampling import pixels, sample_bilinearly
from attacks.types import Images, Model, Samples
from srd.types import Generators, Maps, Masks

Motion = Float64[Tensor, "3 3"]
"""Maps a place (y, x, 1) of the clean image to its new place, in pixels from the centre."""

SLACK = 1e-6  # in pixels: a place so near the edge is in view


@each_image
def shift(image: Image, share: float, generator: Generator) -> Image:
    """Move the image up, down, left or right at random, by `share` of that side rounded up to whole pixels."""
    return _move(image, _shift(share, image.shape[-2:], generator))


def shift_back(maps: Maps, strength: float, generators: Generators) -> tuple[Maps, Masks]:
    """Return maps of images that `shift` moved, in the clean images' frame, and the pixels that were in view."""
    return _move_back(maps, [_shift(strength, maps.shape[-2:], generator) for generator in generators])


@each_image
def rotation(image: Image, degrees: float, generator: Generator) -> Image:
    """Turn the image about its centre by `degrees`, in a random direction."""
    return _move(image, _rotation(degrees, generator))


def rotation_back(maps: Maps, strength: float, generators: Generators) -> tuple[Maps, Masks]:
    """Return maps of images that `rotation` turned, in the clean images' frame, and the pixels that were in view."""
    return _move_back(maps, [_rotation(strength, generator) for generator in generators])


@each_image
def zoom(image: Image, enlargement: float, generator: Generator) -> Image:
    """Enlarge the image about its centre by the factor 1 + `enlargement`."""
    return _move(image, _zoom(enlargement))


def zoom_back(maps: Maps, strength: float, generators: Generators) -> tuple[Maps, Masks]:
    """Return maps of images that `zoom` enlarged, in the clean images' frame, and the pixels that were in view."""
    return _move_back(maps, [_zoom(strength)] * len(maps))


def horizontal_flip(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
    """Return the mirror image, left to right."""
    return samples.images.flip(-1)


def horizontal_flip_back(maps: Maps, strength: float, generators: Generators) -> tuple[Maps, Masks]:
    """Mirror maps of mirrored images; every pixel was in view."""
    return maps.flip(-1), torch.ones_like(maps, dtype=torch.bool)


def _shift(share: float, size: torch.Size, generator: Generator) -> Motion:
    axis, sign = torch.randint(2, (2,), generator=generator).tolist()
    motion = torch.eye(3, dtype=torch.float64)
    motion[axis, 2] = (2 * sign - 1) * math.ceil(share * size[axis])
    return motion


def _rotation(degrees: float, generator: Generator) -> Motion:
    sign = 2 * int(torch.randint(2, (), generator=generator)) - 1
    angle = math.radians(sign * degrees)
    sine, cosine = math.sin(angle), math.cos(angle)
    return torch.tensor([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]], dtype=torch.float64)


def _zoom(enlargement: float) -> Motion:
    return torch.diag(torch.tensor([1 + enlargement, 1 + enlargement, 1], dtype=torch.float64))


def _move(image: Image, motion: Motion) -> Image:
    places = _places(image.shape[-2:], torch.linalg.inv(motion)[None])
    return sample_bilinearly(image[None].double(), places)[0].to(image)


def _move_back(maps: Maps, motions: list[Motion]) -> tuple[Maps, Masks]:
    """Read each map where the pixels of the clean image went. Pixels beyond the edges were out of view."""
    places = _places(maps.shape[-2:], torch.stack(motions))
    last = torch.tensor(maps.shape[-2:]) - 1
    seen = ((places >= -SLACK) & (places <= last + SLACK)).all(-1)
    return sample_bilinearly(maps[:, None].double(), places)[:, 0].to(maps), seen


def _places(size: torch.Size, motions: Float64[Tensor, "n 3 3"]) -> Tensor:
    """Return where the motions take every pixel: (n, h, w, 2)."""
    centre = (torch.tensor(size, dtype=torch.float64) - 1) / 2
    from_centre = (pixels(*size) - centre).flatten(0, 1)
    moved: Tensor = from_centre @ motions[:, :2, :2].mT + motions[:, None, :2, 2]
    return moved.reshape(-1, *size, 2) + centre
