"""The contents of the viewer: facts of an audit as texts, and images with their maps as arrays. It knows no store."""

from dataclasses import dataclass

from reports.pixels import Mask, Pixels


@dataclass(frozen=True)
class ShownMethod:
    """A method, as the viewer names it."""

    name: str
    title: str
    family: str
    signed: bool
    caveat: str = ""


@dataclass(frozen=True)
class ShownCondition:
    """A condition, as the viewer names it. The first of all is that of the clean images."""

    id: str
    heading: str
    family: str
    against: str = ""
    """The method whose explanation it attacks."""
    doubt: str = ""
    """The verdict on an attack that is not reliable."""
    draws: int = 1


@dataclass(frozen=True)
class Holdings:
    """The facts that all images of the viewer have in common."""

    model: str
    data: str
    fingerprint: str
    n_images: int
    """Number of images of the audit, of which the viewer holds some or all."""
    selection: str
    """Sentences on which images it holds."""
    shape: tuple[int, int]
    """Rows and columns of an image as stored."""
    methods: tuple[ShownMethod, ...]
    conditions: tuple[ShownCondition, ...]
    measures: tuple[str, ...]
    """Titles of the similarities of a perturbed map to the clean one, that by which images are sorted first."""


@dataclass(frozen=True)
class Prediction:
    """The answer of the network to an image under a condition."""

    name: str
    """The predicted class."""
    probability: float
    """Softmax probability of the explained class."""


@dataclass(frozen=True)
class ShownMap:
    """The map of one method under one condition; without pixels where there is none."""

    pixels: Pixels | None
    """(h, w)."""
    reason: str = ""
    """Why there is no map."""
    scores: tuple[float | None, ...] = ()
    """Similarities to the clean map, in the order of `Holdings.measures`; None where undefined."""


@dataclass(frozen=True)
class Shown:
    """An image under one condition, with the maps of all methods."""

    photo: Pixels | None
    """(c, h, w) in [0, 1]; None if it was not computed."""
    prediction: Prediction | None
    maps: tuple[ShownMap, ...]


@dataclass(frozen=True)
class ShownImage:
    """An image under all conditions, the first of which is clean."""

    id: str
    label: str
    explained: str
    """The explained class."""
    mask: Mask | None
    under: tuple[Shown, ...]
