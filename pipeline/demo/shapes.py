"""Procedural pictures of six shapes, with exact masks and exact re-renderings.

A picture is a textured background, one target whose shape is the class, and one or two shapeless distractors. All of
them draw from the same textures, and every object has the same dark outline, so that neither texture nor edges tell the
target apart: only its shape does. Nothing but the target's outline depends on the class, the order of the random draws
included. Everything is regenerated from (seed, index).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float32
from numpy.typing import NDArray

Picture = Float32[np.ndarray, "3 48 48"]
Mask = Bool[np.ndarray, "48 48"]
PixelSamples = NDArray[np.bool_]
Field = NDArray[np.float64]
Plane = NDArray[np.complex128]
Distance = Callable[[Plane, float], Field]
"""The signed distance in pixels, negative inside, of a shape within a disc of the given radius around the origin."""

SIZE = 48
TRAIN_SEED = 1
TEST_SEED = 2

SCALE = 2  # rendered with 2 x 2 samples for each pixel
OUTLINE = 1.3  # pixels; without an outline, networks like the demo's stayed below 85 %
INK = 0.05
NOISE = 0.025  # about 6 of 255 grey levels
RADIUS = (0.19 * SIZE, 0.29 * SIZE)
TILT = np.pi / 12
GAP = 1.5  # pixels, more than the diagonal of one: two objects never share a pixel
BORDER = 3.0  # a blob's centre keeps this distance from the border; with it, one always fits into the farthest corner
CANDIDATES = 48


def _disk(plane: Plane, size: float) -> Field:
    return np.abs(plane) - 0.85 * size


def _ring(plane: Plane, size: float) -> Field:
    return np.abs(np.abs(plane) - 0.72 * size) - 0.26 * size


def _plus(plane: Plane, size: float) -> Field:
    sector = _fold(plane, 4)
    return np.maximum(sector.real - 0.94 * size, sector.imag - 0.3 * size)


def _star(plane: Plane, size: float, *, points: int, waist: float) -> Field:
    """Return the distance to a star with tips at `size` and notches at `waist * size`.

    It is a polygon where these are in line.
    """
    edge = size - waist * size * np.exp(1j * np.pi / points)
    return np.asarray(((_fold(plane, points) - size) * abs(edge) / (1j * edge)).real)


def _square(plane: Plane, size: float) -> Field:
    return _star(plane * np.exp(0.25j * np.pi), size, points=4, waist=np.sqrt(0.5))


SHAPES: Mapping[str, Distance] = MappingProxyType(
    {
        "disk": _disk,
        "square": _square,
        "triangle": partial(_star, points=3, waist=0.5),
        "plus": _plus,
        "star": partial(_star, points=5, waist=0.45),
        "ring": _ring,
    }
)
CLASSES = tuple(SHAPES)


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """One picture, its class and its masks.

    `image` is float32 (3, 48, 48) in k/255. The masks are (48, 48), core within full within all_objects: the pixels
    wholly inside the target, the pixels that it touches at all, and the pixels that any object touches. An outline is
    part of its object. A re-rendering is drawn again from (seed, index) when it is asked for. It shares every random
    draw with the picture, the sensor noise included.
    """

    seed: int
    index: int
    label: int
    image: Picture
    core: Mask
    full: Mask
    all_objects: Mask

    def without_target(self) -> Picture:
        """Return the picture without its target; equal to `image` outside `full`."""
        drawing = _draw(self.seed, self.index)
        return drawing.render(drawing.distractors)

    def without_distractors(self) -> Picture:
        """Return the picture with its target alone; equal to `image` within `full` and outside `all_objects`."""
        drawing = _draw(self.seed, self.index)
        return drawing.render([drawing.target])

    def background(self) -> Picture:
        """Return the picture without any object; equal to `image` outside `all_objects`."""
        return _draw(self.seed, self.index).render([])


def scene(seed: int, index: int) -> Scene:
    """Return picture `index` of the data set `seed`; its label is `index` modulo the number of classes."""
    drawing = _draw(seed, index)
    coverage = _average(drawing.target.inside)
    others = [_average(blob.inside) > 0 for blob in drawing.distractors]
    return Scene(
        seed=seed,
        index=index,
        label=index % len(CLASSES),
        image=drawing.render([*drawing.distractors, drawing.target]),
        core=coverage == 1,
        full=coverage > 0,
        all_objects=np.logical_or.reduce([coverage > 0, *others]),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Object:
    inside: PixelSamples
    paint: Field


@dataclass(frozen=True, eq=False, slots=True)
class _Drawing:
    background: Field
    target: _Object
    distractors: Sequence[_Object]
    noise: Field

    def render(self, objects: Sequence[_Object]) -> Picture:
        canvas = self.background.copy()
        for item in objects:
            np.copyto(canvas, item.paint, where=item.inside)
        noisy = np.clip(_average(canvas) + self.noise, 0, 1)
        return np.rint(noisy * 255).astype(np.float32) / np.float32(255)


@lru_cache(maxsize=1)
def _draw(seed: int, index: int) -> _Drawing:
    """Return the drawing of a picture; the last one is kept, as the same scene is rendered several ways in turn."""
    random = np.random.default_rng([seed, index])
    size = random.uniform(*RADIUS)
    centre = random.uniform(size + 1, SIZE - size - 1, 2)
    outline = SHAPES[CLASSES[index % len(CLASSES)]]
    return _Drawing(
        background=_texture(random),
        target=_paint(outline(_plane(centre, random.uniform(-TILT, TILT)), size), random),
        distractors=_distractors(centre, size, random),
        noise=random.normal(0, NOISE, (3, SIZE, SIZE)),
    )


def _paint(distance: Field, random: np.random.Generator) -> _Object:
    return _Object(distance < 0, np.where(distance > -OUTLINE, INK, _texture(random)))


def _distractors(centre: Field, size: float, random: np.random.Generator) -> list[_Object]:
    """Return one or two blobs outside the disc of the target and of each other; two only where there is room."""
    taken = [(centre, size)]
    blobs = []
    for _ in range(random.integers(1, 3)):
        blob = _Blob.draw(random)
        place = _free_place(taken, blob.reach, random)
        if place is not None:
            taken.append((place, blob.reach))
            blobs.append(_paint(blob.distance(_plane(place)), random))
    return blobs


def _free_place(taken: Sequence[tuple[Field, float]], reach: float, random: np.random.Generator) -> Field | None:
    corners = [(x, y) for x in (BORDER, SIZE - BORDER) for y in (BORDER, SIZE - BORDER)]
    places = np.concatenate([random.uniform(BORDER, SIZE - BORDER, (CANDIDATES, 2)), corners])
    free = [np.linalg.norm(places - centre, axis=1) >= size + reach + GAP for centre, size in taken]
    fitting = places[np.logical_and.reduce(free)]
    return fitting[0] if len(fitting) else None


@dataclass(frozen=True, eq=False, slots=True)
class _Blob:
    """A closed curve radius(angle) = size (1 + Re sum_k waves_k exp(i k angle)), k = 2, 3, 4."""

    size: float
    waves: NDArray[np.complex128]

    @classmethod
    def draw(cls, random: np.random.Generator) -> "_Blob":
        # Orders 2 and 3 together: one strong order alone would make an ellipse, a triangle, a plus or a star.
        strengths = random.uniform([0.14, 0.14, 0.0], [0.24, 0.24, 0.06])
        phases = random.uniform(0, 2 * np.pi, 3)
        return cls(random.uniform(5.5, 8.5), strengths * np.exp(1j * phases))

    @property
    def reach(self) -> float:
        return float(self.size * (1 + np.abs(self.waves).sum()))

    def distance(self, plane: Plane) -> Field:
        """Return the distance to first order.

        It is the radial distance, shortened where the curve is not perpendicular to the radius.
        """
        radius = np.abs(plane)
        turn = plane / radius
        second, third, fourth = self.waves
        curve = 1 + (turn * turn * (second + turn * (third + turn * fourth))).real
        slope = (turn * turn * (2 * second + turn * (3 * third + turn * 4 * fourth))).imag
        return np.asarray((radius - self.size * curve) / np.hypot(1, slope / curve))


def _plane(centre: Field, tilt: float = 0.0) -> Plane:
    """Return every sample's place in pixels from `centre`.

    The real axis is the tilted upright, the imaginary axis its right.
    """
    steps = (np.arange(SIZE * SCALE) + 0.5) / SCALE
    return np.asarray(((centre[1] - steps)[:, None] + 1j * (steps - centre[0])) * np.exp(-1j * tilt))


def _fold(plane: Plane, sectors: int) -> Plane:
    """Return the half sector beside the upright, which is all that a shape of this symmetry needs."""
    width = 2 * np.pi / sectors
    angle = np.abs((np.angle(plane) + width / 2) % width - width / 2)
    return np.asarray(np.abs(plane) * np.exp(1j * angle))


def _average(samples: Field | PixelSamples) -> Field:
    """Return the mean over the samples of each pixel of (..., height, width)."""
    *rest, height, width = samples.shape
    blocks = samples.reshape(*rest, height // SCALE, SCALE, width // SCALE, SCALE)
    return np.asarray(blocks.mean(axis=(-3, -1)))


def _texture(random: np.random.Generator) -> Field:
    pattern = TEXTURES[int(random.integers(len(TEXTURES)))](random)
    first, second = _colour(random), _colour(random)
    return np.asarray(first + (second - first) * pattern)


def _colour(random: np.random.Generator) -> Field:
    """Return a colour (3, 1, 1) of any hue, never as dark as the outline."""
    hue, saturation, value = random.uniform([0, 0.25, 0.5], [6, 0.8, 1])
    ramp = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - saturation * (1 - ramp)))[:, None, None]


def _flat(random: np.random.Generator) -> Field:
    return np.zeros((SIZE * SCALE, SIZE * SCALE))


def _wave(random: np.random.Generator, angle: float) -> Field:
    """Return a square wave of -1 and 1 along `angle`."""
    steps = np.arange(SIZE * SCALE) / SCALE
    along = np.cos(angle) * steps + np.sin(angle) * steps[:, None]
    return np.asarray(np.sign(np.sin(2 * np.pi * (along / random.uniform(5, 10) + random.uniform()))))


def _stripes(random: np.random.Generator) -> Field:
    return 0.5 + 0.5 * _wave(random, random.uniform(0, np.pi))


def _checker(random: np.random.Generator) -> Field:
    angle = random.uniform(0, np.pi)
    return 0.5 + 0.5 * _wave(random, angle) * _wave(random, angle + np.pi / 2)


def _cloud(random: np.random.Generator) -> Field:
    """Return 1/f noise between 0 and 1."""
    side = SIZE * SCALE
    spectrum = np.fft.rfft2(random.standard_normal((side, side))) * _inverse_frequency(side)
    cloud = np.fft.irfft2(spectrum, s=(side, side))
    return np.asarray(np.clip(0.5 + 0.25 * cloud / cloud.std(), 0, 1))


@cache
def _inverse_frequency(side: int) -> Field:
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    return np.asarray(1 / frequency)


TEXTURES: Sequence[Callable[[np.random.Generator], Field]] = (_flat, _stripes, _checker, _cloud)
