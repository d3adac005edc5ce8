"""Images that say which they are, so that one in the place of another is seen."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipeline.inputs.data import Data, load_data
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec

HEIGHT, WIDTH = 12, 17


def numbered(number: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return an image of noise, another for each number."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def write_numbered(file: Path, number: int) -> None:
    """Write an image of a number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numbered(number)).save(file, "PNG")


def object_of(number: int) -> NDArray[np.bool_]:
    """Return the mask of an image, another for each number."""
    return np.random.default_rng(1000 + number).random((HEIGHT, WIDTH)) < 0.4


def write_object(file: Path, number: int) -> None:
    """Write the mask of a number."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(object_of(number).astype(np.uint8) * 255).save(file)


def numbers_of(images: Tensor, most: int = 40) -> list[int]:
    """Return the numbers of images as they are read; -1 of one that has none."""
    known = {(numbered(number).astype(np.float32) / 255).tobytes(): number for number in range(most)}
    return [known.get(np.ascontiguousarray(image.permute(1, 2, 0).numpy()).tobytes(), -1) for image in images]


def load(base: Path, model: dict[str, Any] | None = None, **data: Any) -> Data:
    """Return the data of a spec in a folder."""
    return load_data(DataSpec(**data), ModelSpec(spec="network.py:build", **(model or {})), base)
