"""8-bit rounding."""

import torch
from PIL import Image
from toys import classes, demo_model, generators, uniform

from attacks.corruptions.rounding import eight_bit_rounding
from attacks.types import Images, Samples


def rounded(images: Images) -> Images:
    n = len(images)
    return eight_bit_rounding(
        demo_model("vgg"), Samples(images, classes(n), classes(n), images, classes(n)), 0.0, generators(n)
    )


def test_rounded_images_are_what_a_file_of_8_bits_gives_back() -> None:
    images = uniform(1, 1, 9, 7)
    file = Image.frombytes("L", (7, 9), bytes((255 * images).round().to(torch.uint8).flatten().tolist()))
    expected = torch.tensor(list(file.tobytes())).reshape(1, 1, 9, 7) / 255
    torch.testing.assert_close(rounded(images), expected.double(), atol=1e-7, rtol=0)
    assert float((rounded(images) - images).abs().max()) <= 0.5 / 255 + 1e-9


def test_rounding_again_changes_nothing() -> None:
    once = rounded(uniform(2, 3, 8, 8, dtype=torch.float32))
    assert torch.equal(rounded(once), once)
