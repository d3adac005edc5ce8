"""Brightness, saturation and colours of images with three channels or one."""

import torch
from torch import Tensor

from attacks.corruptions.per_image import Image
from srd.errors import InputError

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


def luma(image: Image) -> Image:
    """Return the perceived brightness: (1, h, w)."""
    if has_one_channel(image):
        return image
    return (torch.tensor(LUMA).to(image)[:, None, None] * image).sum(0, keepdim=True)


def like(image: Image, colours: Tensor) -> Tensor:
    """Return colours (3, h, w) with as many channels as the image."""
    return luma(colours) if has_one_channel(image) else colours


def has_one_channel(image: Image) -> bool:
    """Return whether an image is grey; else it has red, green and blue.

    Raises
    ------
    InputError
        If it has another number of channels, which are no colours.
    """
    if len(image) not in {1, 3}:
        raise InputError(
            f"a corruption of colours takes images of 1 or 3 channels, these have {len(image)}; remove imagenet_c's "
            "brightness, snow, frost, spatter, saturate and jpeg_compression"
        )
    return len(image) == 1


def value(image: Image) -> Image:
    """Return the V of hue, saturation and value: (1, h, w)."""
    has_one_channel(image)
    return image.amax(0, keepdim=True)


def with_value(image: Image, new: Image) -> Image:
    """Return the image with another value, and the same hue and saturation. Black has none and becomes grey."""
    old = value(image)
    return torch.where(old > 0, image / old * new, new)


def saturation(image: Image) -> Image:
    """Return the S of hue, saturation and value, which is 0 for black: (1, h, w)."""
    return (1 - image.amin(0, keepdim=True) / value(image)).nan_to_num(0.0)


def with_saturation(image: Image, new: Image) -> Image:
    """Return the image with another saturation, and the same hue and value. Grey has hue 0, red."""
    old = saturation(image)
    from_red = 1 - torch.eye(len(image), 1).to(image)[..., None]
    direction = torch.where(old > 0, (1 - image / value(image)) / old, from_red)
    return value(image) * (1 - new * direction)
