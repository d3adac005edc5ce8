"""Losses in the storage of an image."""

from attacks.types import Images, Model, Samples
from srd.types import Generators


def eight_bit_rounding(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
    """Round the images to 8 bits per channel, the nearest multiples of 1/255. Such images stay as they are."""
    return (samples.images * 255).round() / 255
