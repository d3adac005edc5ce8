"""Lengths and layers for pictures that are not 224 pixels wide as the paper's are."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from attacks.corruptions.per_image import Image

SIDE = 224
Layer = Float[Tensor, "k h w"]


def relative_size(image: Image) -> float:
    """Return the image's shorter side in units of the paper's."""
    return min(image.shape[-2:]) / SIDE


def canvas(image: Image) -> tuple[int, int]:
    """Return height and width of the same picture at the paper's size."""
    height, width = (round(side / relative_size(image)) for side in image.shape[-2:])
    return height, width


def fit_to_image(layer: Layer, image: Image) -> Layer:
    """Resize a layer from the canvas to the image, with averages where the image is smaller."""
    size = image.shape[-2:]
    return functional.interpolate(layer[None], size, mode="bilinear", align_corners=False, antialias=True)[0].to(image)
