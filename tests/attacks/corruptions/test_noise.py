"""Noise that knows nothing of the network."""

import pytest
import torch
from torch import Tensor
from toys import classes, demo_model, generators, uniform

from attacks.corruptions import noise
from attacks.types import Perturbation, Samples

ADDED = [noise.gaussian_noise, noise.uniform_noise, noise.laplace_noise]
KURTOSIS = {noise.gaussian_noise: 3.0, noise.uniform_noise: 1.8, noise.laplace_noise: 6.0}


def samples(images: Tensor) -> Samples:
    n = len(images)
    return Samples(images, classes(n), classes(n), images, classes(n))


def noisy(perturbation: Perturbation, images: Tensor, strength: float) -> Tensor:
    return perturbation(demo_model("vgg"), samples(images), strength, generators(len(images)))


def grey(n: int, value: float = 0.5) -> Tensor:
    return torch.full((n, 3, 48, 48), value)


@pytest.mark.parametrize("added", ADDED, ids=lambda added: added.__name__)
def test_added_noise_has_the_strength_as_its_standard_deviation_and_its_law(added: Perturbation) -> None:
    change = (noisy(added, grey(8), 0.02) - 0.5).double()
    n = change.numel()
    kurtosis = KURTOSIS[added]
    assert abs(float(change.mean())) < 5 * 0.02 / n**0.5
    assert abs(float(change.square().mean()) / 0.02**2 - 1) < 5 * ((kurtosis - 1) / n) ** 0.5
    assert abs(float((change / 0.02).pow(4).mean()) / kurtosis - 1) < 0.1


def test_uniform_noise_is_bounded() -> None:
    change = noisy(noise.uniform_noise, grey(2), 0.1) - 0.5
    assert float(change.abs().max()) == pytest.approx(0.1 * 3**0.5, rel=1e-2)


@pytest.mark.parametrize("value", [0.25, 0.5])
def test_speckle_noise_grows_with_the_value(value: float) -> None:
    change = noisy(noise.speckle_noise, grey(4, value), 0.1) - value
    assert float(change.std()) == pytest.approx(0.1 * value, rel=0.02)


@pytest.mark.parametrize("value", [0.25, 0.5])
def test_shot_noise_has_the_variance_of_a_count(value: float) -> None:
    counted = noisy(noise.shot_noise, grey(4, value), 0.1)
    assert float(counted.mean()) == pytest.approx(value, rel=0.01)
    assert float(counted.var()) == pytest.approx(0.1**2 * value, rel=0.05)
    torch.testing.assert_close(100 * counted, (100 * counted).round())


def test_salt_and_pepper_replace_the_share_of_whole_pixels() -> None:
    images = uniform(4, 3, 48, 48, dtype=torch.float32)
    result = noisy(noise.salt_and_pepper, images, 0.2)
    changed = (result != images).any(1)
    n = changed.numel()
    assert abs(float(changed.double().mean()) - 0.2) < 5 * (0.2 * 0.8 / n) ** 0.5
    of_changed = result.movedim(1, -1)[changed]
    assert torch.equal(of_changed, of_changed[:, :1].round().expand(-1, 3))
    assert abs(float(of_changed.double().mean()) - 0.5) < 5 * 0.5 / len(of_changed) ** 0.5


def test_random_signs_move_every_value_by_exactly_the_strength() -> None:
    change = noisy(noise.random_sign, grey(2), 8 / 255) - 0.5
    torch.testing.assert_close(change.abs(), torch.full_like(change, 8 / 255))
    assert abs(float(change.sign().mean())) < 5 / change.numel() ** 0.5


@pytest.mark.parametrize("epsilon", [0.5, 5.0, 20.0])
def test_a_random_direction_has_exactly_the_norm_although_it_is_cut(epsilon: float) -> None:
    images = uniform(3, 3, 48, 48, dtype=torch.float32).square()
    change = noisy(noise.random_direction, images, epsilon) - images
    torch.testing.assert_close(change.flatten(1).norm(dim=1), torch.full((3,), epsilon), rtol=1e-3, atol=0)


def test_a_random_direction_ends_where_the_images_end() -> None:
    images = grey(1, 0.25)
    change = noisy(noise.random_direction, images, 1000.0) - images
    assert set(change.unique().tolist()) == {-0.25, 0.75}


def test_a_random_direction_is_uniform_on_the_sphere() -> None:
    change = noisy(noise.random_direction, grey(2), 0.5).sub(0.5).double().flatten(1)
    scaled = change / change.norm(dim=1, keepdim=True) * change.shape[1] ** 0.5
    assert abs(float(scaled.mean())) < 5 / scaled.numel() ** 0.5
    assert abs(float(scaled.pow(4).mean()) / 3 - 1) < 0.1
    assert abs(float(scaled[0] @ scaled[1])) < 5 * change.shape[1] ** 0.5


def test_noise_of_an_image_does_not_depend_on_its_tile() -> None:
    for added in (noise.gaussian_noise, noise.random_sign):
        together = noisy(added, grey(3), 0.1)
        alone = added(demo_model("vgg"), samples(grey(1)), 0.1, generators(3)[2:])
        assert torch.equal(together[2:], alone)
        assert not torch.equal(together[0], together[1])
