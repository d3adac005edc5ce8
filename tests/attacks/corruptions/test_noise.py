"""Noise that knows nothing of the network."""

import torch
from torch import Tensor
from toys import demo_model, generators

from attacks.corruptions.noise import gaussian_noise, random_sign
from attacks.types import Samples


def grey(n: int) -> Samples:
    label = torch.zeros(n, dtype=torch.int64)
    images = torch.full((n, 3, 48, 48), 0.5)
    return Samples(images, label, label, images, label)


def moved(images: Tensor) -> Tensor:
    return images - 0.5


def test_gaussian_noise_has_the_strength_as_its_standard_deviation() -> None:
    noise = moved(gaussian_noise(demo_model("vgg"), grey(4), 0.05, generators(4)))
    n = noise.numel()
    assert abs(float(noise.mean())) < 5 * 0.05 / n**0.5
    assert abs(float(noise.std()) / 0.05 - 1) < 5 / (2 * n) ** 0.5


def test_random_signs_move_every_value_by_exactly_the_strength() -> None:
    noise = moved(random_sign(demo_model("vgg"), grey(2), 8 / 255, generators(2)))
    torch.testing.assert_close(noise.abs(), torch.full_like(noise, 8 / 255))
    assert abs(float(noise.sign().mean())) < 5 / noise.numel() ** 0.5


def test_noise_of_an_image_does_not_depend_on_its_tile() -> None:
    for noise in (gaussian_noise, random_sign):
        together = noise(demo_model("vgg"), grey(3), 0.1, generators(3))
        alone = noise(demo_model("vgg"), grey(1), 0.1, generators(3)[2:])
        assert torch.equal(together[2:], alone)
        assert not torch.equal(together[0], together[1])
