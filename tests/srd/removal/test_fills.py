"""Fills against scipy's Gaussian filter, and what must hold of all of them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from toys import demo_inputs, demo_model, demo_samples, normal, uniform

from srd.entries import Fill
from srd.removal.fills import FILLS, fill

BLACK = torch.tensor([-2.0, -1.0, -3.0])[:, None, None]
every_fill = pytest.mark.parametrize("name", FILLS)


@pytest.mark.parametrize(("name", "share"), [("blur", 20), ("narrow_blur", 30), ("wide_blur", 15)])
@pytest.mark.parametrize("size", [(40, 40), (48, 61), (31, 30), (7, 5), (1, 1)])
def test_blur_is_scipys_gaussian_filter_with_mirrored_borders(name: Fill, share: int, size: tuple[int, int]) -> None:
    inputs = normal(2, 3, *size)
    sigma = min(size) / share
    expected = gaussian_filter(inputs.numpy(), sigma, mode="mirror", axes=(2, 3))
    np.testing.assert_allclose(FILLS[name](inputs, BLACK).numpy(), expected, atol=1e-12)


def test_black_and_mean_are_one_colour() -> None:
    inputs = normal(2, 3, 8, 9)
    assert torch.equal(FILLS["black"](inputs, BLACK), BLACK.expand(2, 3, 8, 9).double())
    assert not FILLS["mean"](inputs, BLACK).any()


def test_black_is_the_network_s_reading_of_the_image_without_light() -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    black = FILLS["black"](model.normalise(samples.images), model.black)
    torch.testing.assert_close(black, model.normalise(torch.zeros_like(samples.images)))


@pytest.mark.parametrize("name", ["blur", "narrow_blur", "wide_blur"])
def test_a_blurred_image_is_the_blur_of_normalised_inputs(name: Fill) -> None:
    """Normalisation and weights that add up to 1 may change places, so a blur stays within the colours of images."""
    model, samples = demo_model("vgg"), demo_samples(2)
    of_inputs = FILLS[name](model.normalise(samples.images), model.black)
    torch.testing.assert_close(of_inputs, model.normalise(FILLS[name](samples.images, model.black)))


@every_fill
def test_a_fill_has_the_shape_and_type_of_its_inputs_and_leaves_them(name: Fill) -> None:
    for dtype in (torch.float32, torch.float64):
        inputs = normal(3, 3, 12, 14).to(dtype)
        kept = inputs.clone()
        found = FILLS[name](inputs, BLACK)
        assert (found.shape, found.dtype) == (inputs.shape, dtype)
        assert torch.equal(inputs, kept)
        alone = torch.cat([FILLS[name](inputs[k : k + 1], BLACK) for k in range(3)])
        torch.testing.assert_close(alone, found)


def test_a_wider_blur_takes_more_away() -> None:
    inputs, _ = demo_inputs(4)
    left = [float(FILLS[name](inputs, BLACK).var((2, 3)).mean()) for name in ("narrow_blur", "blur", "wide_blur")]
    assert left == sorted(left, reverse=True)
    assert left[0] < float(inputs.var((2, 3)).mean())


def test_removed_pixels_are_filled_in_all_channels_and_no_others() -> None:
    inputs, masks = normal(1, 3, 5, 6), uniform(4, 5, 6) < 0.4
    filled = FILLS["blur"](inputs, BLACK)
    found = fill(inputs, masks, filled)
    for mask, result in zip(masks, found, strict=True):
        assert torch.equal(result[:, mask], filled[0][:, mask])
        assert torch.equal(result[:, ~mask], inputs[0][:, ~mask])
