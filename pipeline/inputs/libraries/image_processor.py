"""The image processors of transformers in the words of a spec, held to what they do with two pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.preprocessing import Preprocessing
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import ExactSize

BYTE = 255
SIZES = ((300, 420), (520, 260))
"""The heights and widths of the pictures."""
TOLERANCE = 3 / BYTE
"""The largest mean difference, in images of [0, 1]: filters of Pillow and of torch round differently."""


def preprocessing_of(processor: Any) -> Preprocessing:
    """Return the preprocessing that an image processor does.

    Raises
    ------
    ValueError
        If the words of a spec do not say what it does.
    """
    found = _read(processor)
    spec = found.complete(ModelSpec(spec="hf"))
    for height, width in SIZES:
        picture = _picture(height, width)
        theirs = np.asarray(processor(Image.fromarray(picture), return_tensors="np")["pixel_values"][0])
        resized = geometry_of(spec).apply("", picture).transpose(2, 0, 1) / BYTE
        scale = np.reshape(found.std, (-1, 1, 1))
        ours = (resized - np.reshape(found.mean, (-1, 1, 1))) / scale
        if ours.shape != theirs.shape or float(np.abs((ours - theirs) * scale).mean()) > TOLERANCE:
            raise ValueError(f"{type(processor).__name__} does more than to resize, cut, rescale and normalise")
    return found


def _read(processor: Any) -> Preprocessing:
    """Return what the attributes of a processor say. The images of an audit are in [0, 1]: rescaled already."""
    factor = (processor.rescale_factor if processor.do_rescale else 1.0) * BYTE
    offset = float(bool(getattr(processor, "rescale_offset", False)))
    is_normalised = processor.do_normalize
    mean, std = (processor.image_mean, processor.image_std) if is_normalised else ((0.0,), (1.0,))
    times = 2 if is_normalised and getattr(processor, "include_top", False) else 1  # EfficientNet divides once more
    return Preprocessing(
        f"the image processor {type(processor).__name__}",
        tuple((float(each) + offset) / factor for each in mean),
        tuple(float(each) ** times / factor for each in std),
        **_geometry(processor),
    )


def _geometry(processor: Any) -> dict[str, Any]:
    """Return size, cut and filter in the words of a spec."""
    if not processor.do_resize:
        return {"crop": _cut(processor)}
    size: Mapping[str, int] = dict(processor.size)
    interpolation = Image.Resampling(processor.resample).name.lower()
    side, share = size.get("shortest_edge"), getattr(processor, "crop_pct", None)
    if side is None:
        resize: Any = ExactSize(height=size["height"], width=size["width"])
    elif share is not None and not getattr(processor, "do_center_crop", False):  # ConvNeXt
        resize = (int(side / share), side) if side < 384 else ExactSize(height=side, width=side)
        return {"resize": resize, "interpolation": interpolation}
    else:
        resize = int(side / share) if share else side
    cut = _cut(processor)
    if isinstance(resize, int) and cut is None:
        cut = "none"
    if isinstance(resize, int) and isinstance(cut, tuple) and len(set(cut)) == 1 and cut[0] <= resize:
        return {"resize": (resize, cut[0]), "interpolation": interpolation}
    return {"resize": resize, "crop": cut, "interpolation": interpolation}


def _cut(processor: Any) -> Any:
    if not getattr(processor, "do_center_crop", False):
        return None
    size: Mapping[str, int] = dict(processor.crop_size)
    return (size["height"], size["width"])


def _picture(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture of soft waves of three colours, of which filters make nearly the same."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 23 + y / 31), np.cos(x / 41 - y / 19), np.sin(x / 29) * np.cos(y / 37)]
    return np.round(np.stack(waves, -1) * 100 + 128).astype(np.uint8)
