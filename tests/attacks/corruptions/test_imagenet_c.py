"""The corruptions of ImageNet-C: laws of severity, size and colour, and each definition against another library's."""

import colorsys
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from scipy import ndimage
from torch import Tensor
from torch.nn import functional
from toys import classes, demo_model, demo_samples, generator, generators, normal, uniform

from attacks.corruptions.imagenet_c.blur import _swap_neighbours
from attacks.corruptions.imagenet_c.filters import correlate, kernel, smooth
from attacks.corruptions.imagenet_c.textures import ice, plasma
from attacks.registry import PERTURBATIONS
from attacks.types import Samples
from srd.errors import InputError

NAMES = [name.removeprefix("imagenet_c_") for name in PERTURBATIONS if name.startswith("imagenet_c_")]
RISING = dict.fromkeys(NAMES, ((1, 2, 3, 4, 5),)) | {
    "snow": ((1, 2), (3, 4, 5)),  # the paper's third is milder to light pictures than its second
    "frost": ((1, 2, 3), (4, 5)),  # the paper darkens the picture and keeps the ice
    "elastic_transform": ((1, 2), (3, 4, 5)),  # the paper moves the whole picture, then its parts
    "saturate": ((1, 2), (3, 4, 5)),  # the paper takes colour, then adds it
}
"""Severities among which the change grows by the paper's own parameters."""

COLOURLESS = """defocus_blur glass_blur motion_blur zoom_blur snow fog brightness contrast elastic_transform pixelate
gaussian_blur""".split()
"""Make a grey picture another grey picture, and draw nothing for each channel."""

every_name = pytest.mark.parametrize("name", NAMES)


def corrupted(name: str, images: Tensor, severity: int) -> Tensor:
    n = len(images)
    samples = Samples(images, classes(n), classes(n), images, classes(n))
    result: Tensor = PERTURBATIONS[f"imagenet_c_{name}"](demo_model("vgg"), samples, float(severity), generators(n))
    return result


def pictures(n: int, size: int) -> Tensor:
    return resized(demo_samples(n).images, size)


def resized(images: Tensor, size: int) -> Tensor:
    return functional.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)


def test_there_are_fifteen_and_four() -> None:
    assert len(NAMES) == 15 + 4


@every_name
@pytest.mark.parametrize(("size", "n"), [(32, 6), (48, 6), (224, 1)])
def test_the_change_grows_with_the_severity(name: str, size: int, n: int) -> None:
    images = pictures(n, size)
    change = [float((corrupted(name, images, severity) - images).square().mean()) for severity in range(1, 6)]
    for part in RISING[name]:
        for lower, higher in pairwise(part):
            assert 0 < change[lower - 1] < change[higher - 1]


@every_name
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_grey_images_stay_grey(name: str, severity: int) -> None:
    grey = pictures(2, 32)[:, :1]
    result = corrupted(name, grey, severity)
    assert result.shape == grey.shape
    assert 0 <= float(result.min()) <= float(result.max()) <= 1
    if name in COLOURLESS:
        in_colour = corrupted(name, grey.expand(-1, 3, -1, -1), severity)
        torch.testing.assert_close(in_colour, result.expand(-1, 3, -1, -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["gaussian_blur", "defocus_blur", "motion_blur", "zoom_blur", "fog", "frost", "snow"])
def test_a_small_picture_looks_like_the_large_one_made_small(name: str) -> None:
    """Where lengths are pixels or more: reading between pixels blurs a little by itself."""
    large = resized(uniform(1, 3, 12, 12, dtype=torch.float32), 224)
    for severity in (5,) if name in {"gaussian_blur", "defocus_blur"} else (1, 3, 5):
        small_of_corrupted = resized(corrupted(name, large, severity), 48)
        corrupted_small = corrupted(name, resized(large, 48), severity)
        change = (small_of_corrupted - resized(large, 48)).norm()
        assert float((corrupted_small - small_of_corrupted).norm() / change) < 0.15


@pytest.mark.parametrize(
    "name",
    "gaussian_blur defocus_blur motion_blur zoom_blur glass_blur contrast elastic_transform pixelate saturate".split(),
)
def test_a_picture_of_one_grey_stays(name: str) -> None:
    grey = torch.full((1, 3, 40, 56), 0.25, dtype=torch.float64)
    for severity in (1, 2, 3):
        torch.testing.assert_close(corrupted(name, grey, severity), grey)


# Definitions.


@pytest.mark.parametrize(("severity", "sigma"), [(1, 1), (3, 3), (5, 6)])
def test_gaussian_blur_is_scipys(severity: int, sigma: float) -> None:
    images = uniform(1, 3, 224, 230)
    expected = ndimage.gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="nearest")
    torch.testing.assert_close(corrupted("gaussian_blur", images, severity), torch.from_numpy(expected))


@pytest.mark.parametrize(("severity", "radius"), [(1, 3), (3, 6), (5, 10)])
def test_defocus_blur_averages_over_a_disc(severity: int, radius: int) -> None:
    images = uniform(1, 1, 224, 224)
    reach, edge = max(8, radius), 0.1 if radius == 3 else 0.5
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = ndimage.gaussian_filter((x**2 + y**2 <= radius**2).astype(float), edge, mode="mirror", radius=1)
    expected = ndimage.correlate(images[0, 0].numpy(), disc / disc.sum(), mode="mirror")
    torch.testing.assert_close(corrupted("defocus_blur", images, severity)[0, 0], torch.from_numpy(expected))


@pytest.mark.parametrize("size", [0.1, 0.45, 1.0])
def test_a_filter_reads_its_points_between_pixels(size: float) -> None:
    offsets, weights = 6 * normal(7, 2), uniform(7)
    image = uniform(1, 60, 50)
    result = correlate(image, kernel(offsets, weights, size))
    for y, x in ((30, 25), (27, 24)):
        places = np.array([[y], [x]]) + size * offsets.numpy().T
        read = ndimage.map_coordinates(image[0].numpy(), places, order=1)
        assert float(result[0, y, x]) == pytest.approx(float(read @ weights.numpy() / weights.sum()))


def test_smoothing_is_scipys() -> None:
    noise = normal(2, 40, 50)
    expected = ndimage.gaussian_filter(noise.numpy(), (0, 2.5, 2.5), mode="reflect", truncate=9)
    torch.testing.assert_close(smooth(noise, 2.5), torch.from_numpy(expected), atol=1e-6, rtol=0)


def test_zoom_blur_averages_enlargements_about_the_centre() -> None:
    image = uniform(1, 1, 9, 11)
    factors = [1.0, *np.arange(1, 1.21, 0.02)]
    centre = np.array([4.0, 5.0])
    enlarged = [
        ndimage.affine_transform(image[0, 0].numpy(), [1 / factor] * 2, centre - centre / factor, order=1)
        for factor in factors
    ]
    torch.testing.assert_close(corrupted("zoom_blur", image, 3)[0, 0], torch.from_numpy(np.mean(enlarged, 0)))


@pytest.mark.parametrize(("severity", "factor", "more"), [(1, 0.3, 0), (3, 2, 0), (5, 20, 0.2)])
def test_saturation_is_that_of_hsv(severity: int, factor: float, more: float) -> None:
    images = pictures(1, 16).double()
    images[0, :, 0, :2] = torch.tensor([[0.0, 0.5]]).double()  # black, and grey
    expected = images.clone()
    for y in range(16):
        for x in range(16):
            hue, saturation, value = colorsys.rgb_to_hsv(*images[0, :, y, x].tolist())
            wanted = colorsys.hsv_to_rgb(hue, min(1.0, saturation * factor + more), value)
            expected[0, :, y, x] = torch.tensor(wanted)
    torch.testing.assert_close(corrupted("saturate", images, severity), expected, atol=1e-6, rtol=0)


def test_brightness_is_that_of_hsv() -> None:
    images = pictures(1, 16).double()
    images[0, :, 0, 0] = 0.0
    expected = images.clone()
    for y in range(16):
        for x in range(16):
            hue, saturation, value = colorsys.rgb_to_hsv(*images[0, :, y, x].tolist())
            expected[0, :, y, x] = torch.tensor(colorsys.hsv_to_rgb(hue, saturation, min(1.0, value + 0.3)))
    torch.testing.assert_close(corrupted("brightness", images, 3), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("severity", "share"), [(1, 0.6), (3, 0.4), (4, 0.3), (5, 0.25)])
def test_pixelate_is_pillows_boxes(severity: int, share: float) -> None:
    image = uniform(1, 1, 64, 96, dtype=torch.float32)  # no pixel's centre is on the edge of a block
    picture = Picture.fromarray(image[0, 0].numpy())
    blocks = picture.resize((int(96 * share), int(64 * share)), Picture.Resampling.BOX)
    expected = np.array(blocks.resize((96, 64), Picture.Resampling.NEAREST))
    torch.testing.assert_close(corrupted("pixelate", image, severity)[0, 0], torch.from_numpy(expected))


def test_jpeg_keeps_its_pictures_in_eight_bits_and_grey_ones_grey() -> None:
    stored = 255 * corrupted("jpeg_compression", pictures(1, 48).double(), 3)
    torch.testing.assert_close(stored, stored.round())
    grey = pictures(1, 48)[:, :1]
    in_colour = corrupted("jpeg_compression", grey.expand(-1, 3, -1, -1), 3)
    torch.testing.assert_close(in_colour, corrupted("jpeg_compression", grey, 3).expand(-1, 3, -1, -1))


def test_impulses_hit_each_channel_alone() -> None:
    images = torch.full((1, 3, 96, 96), 0.5)
    hit = corrupted("impulse_noise", images, 5) != 0.5
    n = hit.numel()
    assert abs(float(hit.double().mean()) - 0.27) < 5 * (0.27 * 0.73 / n) ** 0.5
    assert abs(float(hit.all(1).double().mean()) - 0.27**3) < 0.01


@pytest.mark.parametrize("move", [0.2, 1.0, 2.6, 4.0])
def test_glass_swaps_pixels_and_loses_none(move: float) -> None:
    order = _swap_neighbours(torch.Size((30, 41)), move, 2, generator())
    assert torch.equal(order.flatten().sort().values, torch.arange(30 * 41))


def test_as_many_pixels_are_swapped_as_their_mean_move_asks_for() -> None:
    order = _swap_neighbours(torch.Size((300, 300)), 0.2, 1, generator())
    moved = float((order.flatten() != torch.arange(300 * 300)).double().mean())
    assert moved == pytest.approx(2 * 0.2**2 * 3 / 4, rel=0.05)  # two a swap; one swap in four is with itself


def test_clouds_are_coarser_where_they_decay_faster() -> None:
    steps = []
    for decay in (1.4, 1.7, 2.0):
        clouds = plasma(128, 100, decay, generator())
        assert clouds.shape == (1, 128, 100)
        assert 0 <= float(clouds.min()) < float(clouds.max()) <= 1
        steps.append(float(clouds.diff(dim=-1).abs().mean()))
    assert steps == sorted(steps, reverse=True)


def test_ice_differs_from_stream_to_stream_and_is_pale_blue() -> None:
    first, other = (ice(64, 80, generator(seed)) for seed in (0, 1))
    assert first.shape == (3, 64, 80)
    assert not torch.equal(first, other)
    red, green, blue = first.mean((1, 2)).tolist()
    assert red < green < blue


def test_fog_is_no_brighter_than_the_picture() -> None:
    images = 0.6 * uniform(2, 3, 40, 40)
    assert bool((corrupted("fog", images, 4).amax((1, 2, 3)) <= images.amax((1, 2, 3))).all())


@pytest.mark.parametrize("channels", [2, 4, 5])
@every_name
def test_corruptions_of_colours_refuse_what_has_no_colours(name: str, channels: int) -> None:
    images = uniform(2, channels, 32, 40, seed=1).float()
    if PERTURBATIONS[f"imagenet_c_{name}"].misfit((channels, 32, 40), 4):
        with pytest.raises(InputError, match=rf"takes images of 1 or 3 channels, these have {channels}; remove"):
            corrupted(name, images, 5)
    else:
        assert corrupted(name, images, 5).shape == images.shape
