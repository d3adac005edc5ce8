"""What is lost where an image is stored."""

from attacks.types import Images, Model, Samples
from srd.types import Generators


def eight_bit_rounding(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
    """The images as 8 bits a channel keep them: the nearest multiples of 1/255. Those that are so stay as they are."""
    return (samples.images * 255).round() / 255
