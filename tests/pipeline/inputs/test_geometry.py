"""Images reach the network's size as torchvision's transforms bring them there, and masks go the same way."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torchvision import transforms as untyped
from torchvision.transforms.functional import InterpolationMode

from pipeline.inputs.geometry import geometry_of
from pipeline.spec.model import ModelSpec
from srd.errors import DataError

transforms: Any = untyped
FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


def prepared(pixels: NDArray[Any], **keys: Any) -> NDArray[Any]:
    return geometry_of(ModelSpec(spec="network.py:build", **keys)).apply("x.png", pixels)


def pictures(n: int, channels: int = 3) -> list[NDArray[np.uint8]]:
    draw = np.random.default_rng(0)
    sizes = draw.integers(40, 400, (n, 2))
    return [draw.integers(0, 256, (*size, channels), np.uint8) for size in sizes]


def by_torchvision(pixels: NDArray[np.uint8], *steps: Any) -> NDArray[np.uint8]:
    return np.asarray(transforms.Compose(steps)(Image.fromarray(pixels)))


@pytest.mark.parametrize("name", FILTERS)
def test_the_usual_preprocessing_is_torchvisions(name: Any) -> None:
    mode = InterpolationMode(name)
    for number, pixels in enumerate(pictures(20)):
        side, cut = 30 + 7 * number, 30 + 6 * number
        expected = by_torchvision(pixels, transforms.Resize(side, mode), transforms.CenterCrop(cut))
        assert (prepared(pixels, resize=(side, cut), interpolation=name) == expected).all()


def test_images_are_resized_bilinearly_unless_the_spec_says_otherwise() -> None:
    for pixels in pictures(10):
        expected = by_torchvision(pixels, transforms.Resize(50, InterpolationMode.BILINEAR), transforms.CenterCrop(50))
        assert (prepared(pixels, resize=50) == expected).all()


def test_a_rectangle_is_cut_out_as_torchvision_does() -> None:
    for pixels in pictures(20):
        expected = by_torchvision(
            pixels, transforms.Resize(90, InterpolationMode.BICUBIC), transforms.CenterCrop((71, 80))
        )
        assert (prepared(pixels, resize=90, crop=(71, 80), interpolation="bicubic") == expected).all()


def test_a_cut_alone_resizes_nothing() -> None:
    for pixels in pictures(20):
        assert (prepared(pixels, crop=(37, 24)) == by_torchvision(pixels, transforms.CenterCrop((37, 24)))).all()
        assert (prepared(pixels, crop=31) == by_torchvision(pixels, transforms.CenterCrop(31))).all()


def test_images_are_stretched_to_an_exact_size() -> None:
    for pixels in pictures(20):
        expected = by_torchvision(pixels, transforms.Resize((48, 100), InterpolationMode.BILINEAR))
        assert (prepared(pixels, resize={"height": 48, "width": 100}) == expected).all()


def test_nothing_need_be_cut_out() -> None:
    for pixels in pictures(20):
        expected = by_torchvision(pixels, transforms.Resize(60, InterpolationMode.BILINEAR))
        assert (prepared(pixels, resize=60, crop="none") == expected).all()


def test_each_channel_is_resized_by_itself() -> None:
    for pixels in pictures(5, channels=5):
        resized = prepared(pixels, resize=(60, 50))
        for channel in range(5):
            one = np.ascontiguousarray(pixels[..., channel])
            expected = by_torchvision(one, transforms.Resize(60, InterpolationMode.BILINEAR), transforms.CenterCrop(50))
            assert (resized[..., channel] == expected).all()


def test_floats_are_resized_as_bytes_are_and_stay_in_0_to_1() -> None:
    for pixels in pictures(5, channels=3):
        sharp = np.where(pixels > 127, np.uint8(255), np.uint8(0))
        bytes_, floats = (prepared(each, resize=(30, 24)) for each in (sharp, sharp / 255))
        assert np.abs(bytes_ / 255 - floats).max() < 1.5 / 255  # bytes are rounded after each of two passes
        ringing = prepared(sharp / 255, resize=200, interpolation="lanczos")
        assert (ringing.min(), ringing.max()) == (0, 1)


def test_a_mask_goes_the_way_of_its_image() -> None:
    """Where an image is white on its object, so is the mask; nearest neighbour keeps all three parts apart."""
    for pixels in pictures(20):
        geometry = geometry_of(ModelSpec(spec="network.py:build", resize=(60, 51)))
        parts = np.random.default_rng(1).integers(0, 3, pixels.shape[:2], np.uint8)
        expected = by_torchvision(parts, transforms.Resize(60, InterpolationMode.NEAREST), transforms.CenterCrop(51))
        assert (geometry.apply_to_mask("x.png", parts) == expected).all()


@pytest.mark.parametrize(
    ("size", "resize", "resized"),
    [
        ((100_000, 1), 224, "22400000x224"),
        ((1, 100_000), (256, 224), "256x25600000"),
        ((100, 16), 4096, "25600x4096"),
    ],
)
def test_what_grows_beyond_the_bound_is_refused(size: tuple[int, int], resize: Any, resized: str) -> None:
    with pytest.raises(DataError) as caught:
        prepared(np.zeros((size[1], size[0], 1), np.uint8), resize=resize)
    message, side = str(caught.value), resize if isinstance(resize, int) else resize[0]
    assert message.startswith(f"x.png: is {size[0]}x{size[1]}, resized by model.resize = {side} {resized}, more than ")
    assert message.endswith("lower model.resize")


@pytest.mark.parametrize("crop", [41, (41, 10), (10, 31)])
def test_no_more_is_cut_out_than_there_is(crop: Any) -> None:
    """torchvision would put a black border around the image."""
    with pytest.raises(DataError, match=r"x\.png: is 30x40 when .* are cut out by model\.crop; lower model\.crop, or"):
        prepared(np.zeros((40, 30, 3), np.uint8), crop=crop)
