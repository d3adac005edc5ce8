"""Pixels as text, and data as the call of a function: a page that lies on a disk may run scripts, and fetch nothing."""

import json
from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.store.packing import pack
from reports.pixels import Mask, Pixels, as_colours

LEVELS = 127
"""Steps of a change of an image on either side of 0."""


def encode_map(pixels: Pixels) -> tuple[str, float]:
    """Return a finite map (h, w) as base64 of float16, little endian, and the power of two to multiply it by.

    A value is off by at most 1/2048 of itself, or by 2^-25 of the power of two; those of a store are exact.
    """
    values, scale = pack(np.asarray(pixels, np.float32))
    return encode_bytes(values.astype("<f2")), float(scale)


def encode_photo(image: Pixels) -> str:
    """Return an image (c, h, w) in [0, 1] as base64 of three bytes a pixel. Values are off by at most 1/510."""
    return encode_bytes(_last_channel(image.clip(0, 1) * 255).round().astype(np.uint8))


def encode_change(change: Pixels) -> tuple[str, float]:
    """Return the change of an image (c, h, w) as base64 of signed bytes, and the step to multiply them by.

    A value is off by at most half a step, which is 1/254 of the largest change.
    """
    step = float(np.abs(change).max()) / LEVELS or 1.0
    return encode_bytes(_last_channel(change / step).round().astype(np.int8)), step


def encode_mask(mask: Mask) -> str:
    """Return a mask (h, w) as base64 of bits, row by row, the first of a byte being its highest."""
    return encode_bytes(np.packbits(mask))


def call(function: str, *arguments: object) -> bytes:
    """Return a script that calls a function with data. No text of the data ends the script or begins another.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = ",".join(json.dumps(each, allow_nan=False, separators=(",", ":")) for each in arguments)
    for character in "<>&":  # in JSON they stand in strings alone
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"{function}({text});\n".encode("ascii")


def encode_bytes(values: NDArray[Any]) -> str:
    """Return the bytes of an array as base64."""
    return b64encode(values.tobytes()).decode()


def _last_channel(image: Pixels) -> Pixels:
    """Return an image (c, h, w) of any number of channels as (h, w, 3)."""
    return np.moveaxis(as_colours(image), 0, -1)
