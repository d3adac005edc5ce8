"""The paper's pictures are 224 pixels wide: lengths and layers for others."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from attacks.corruptions.per_image import Image

SIDE = 224
Layer = Float[Tensor, "k h w"]


def relative_size(image: Image) -> float:
    """The image's shorter side, in units of the paper's."""
    return min(image.shape[-2:]) / SIDE


def canvas(image: Image) -> tuple[int, int]:
    """Height and width of the same picture at the paper's size."""
    height, width = (round(side / relative_size(image)) for side in image.shape[-2:])
    return height, width


def fit_to_image(layer: Layer, image: Image) -> Layer:
    """A layer drawn on the canvas, at the image's size: averaged where that is smaller."""
    size = image.shape[-2:]
    return functional.interpolate(layer[None], size, mode="bilinear", align_corners=False, antialias=True)[0].to(image)
