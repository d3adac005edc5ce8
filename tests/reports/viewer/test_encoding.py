"""Pixels as text: how far values are off, and that no text of the data leaves its string."""

from base64 import b64decode

import numpy as np
import pytest
from numpy.typing import NDArray
from shown_images import NAMES, arguments_of

from pipeline.store.packing import pack, unpack
from reports.viewer.encoding import call, encode_change, encode_map, encode_mask, encode_photo


def decoded(text: str, kind: str) -> NDArray[np.float64]:
    return np.frombuffer(b64decode(text), kind).astype(np.float64)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1, 1e6])
def test_a_value_of_a_map_is_off_by_at_most_one_in_2048_of_itself(factor: float) -> None:
    pixels = (np.random.default_rng(0).normal(size=(9, 7)) ** 3 * factor).astype(np.float32)
    text, scale = encode_map(pixels)
    found = decoded(text, "<f2").reshape(pixels.shape) * scale
    assert np.log2(scale) == round(np.log2(scale))
    assert (np.abs(found - pixels) <= np.maximum(np.abs(pixels) / 2048, 2.0**-25 * scale)).all()


def test_a_map_of_a_store_is_exact() -> None:
    stored = unpack(*pack(np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)))
    text, scale = encode_map(stored)
    assert (decoded(text, "<f2").reshape(stored.shape) * scale == stored).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_value_of_a_photo_is_off_by_at_most_half_a_step(channels: int) -> None:
    image = np.random.default_rng(0).random((channels, 5, 6), np.float32)
    found = decoded(encode_photo(image), "u1").reshape(5, 6, 3) / 255
    shown = np.broadcast_to(image[:1], (3, 5, 6)) if channels < 3 else image[:3]
    assert np.abs(found - np.moveaxis(shown, 0, -1)).max() <= 1 / 510 + 1e-7


@pytest.mark.parametrize("largest", [1.0, 8 / 255, 1e-4])
def test_a_value_of_a_change_is_off_by_at_most_one_in_254_of_the_largest(largest: float) -> None:
    change = np.random.default_rng(0).uniform(-1, 1, (3, 5, 6)).astype(np.float32) * np.float32(largest)
    text, step = encode_change(change)
    found = decoded(text, "i1").reshape(5, 6, 3) * step
    assert np.abs(found - np.moveaxis(change, 0, -1)).max() <= np.abs(change).max() / 254 * (1 + 1e-5)


def test_an_image_without_change_has_none() -> None:
    text, step = encode_change(np.zeros((3, 2, 2), np.float32))
    assert (decoded(text, "i1") * step == 0).all()


def test_a_mask_has_a_bit_for_each_pixel() -> None:
    mask = np.random.default_rng(0).random((5, 7)) < 0.5
    bits = np.unpackbits(np.frombuffer(b64decode(encode_mask(mask)), np.uint8))[: mask.size]
    assert (bits.reshape(mask.shape) == mask).all()


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_name_ends_the_script_and_every_name_is_read_back(name: str) -> None:
    script = call("viewer.put", name, {name: [name]})
    assert script.isascii()
    assert b"<" not in script
    assert arguments_of(script) == ("viewer.put", [name, {name: [name]}])


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        call("viewer.put", float("nan"))
