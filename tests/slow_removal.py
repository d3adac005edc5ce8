"""The definition, in loops and numpy, of what is asked of a network about images of which parts are removed."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import nn

from pipeline.machine import seeds

Image = NDArray[np.float32]
"""One image, normalised (c, h, w)."""
SIGMAS = {"blur": 1 / 20, "narrow_blur": 1 / 30, "wide_blur": 1 / 15}


def answer(network: nn.Module, image: Image, target: int) -> list[float]:
    """Return the target's logit, its softmax, and whether it is the class predicted."""
    with torch.no_grad():
        logits = network(torch.from_numpy(image)[None])[0].double().numpy()
    shares = np.exp(logits - logits.max())
    return [logits[target], shares[target] / shares.sum(), float(logits.argmax() == target)]


def filled(image: Image, fill: str, black: Image) -> Image:
    """Return what stands in place of removed pixels: (c, h, w)."""
    if fill == "mean":
        return np.zeros_like(image)
    if fill == "black":
        return np.broadcast_to(black, image.shape).copy()
    sigma = SIGMAS[fill] * min(image.shape[1:])
    return np.stack([gaussian_filter(channel, sigma, mode="mirror", truncate=4) for channel in image])


Curve = list[list[float]]
"""(step, answer)"""


def curve(network: nn.Module, image: Image, target: int, order: list[int], fill: Image, steps: int) -> Curve:
    """Return the answers as pixels, numbered along the rows, are removed in an order."""
    found = []
    for step in range(steps + 1):
        changed = image.copy()
        for pixel in order[: round(step / steps * len(order))]:
            row, column = divmod(pixel, image.shape[2])
            changed[:, row, column] = fill[:, row, column]
        found.append(answer(network, changed, target))
    return found


def order(values: NDArray[np.float32], seed: int, image: str) -> list[int]:
    """Return the pixels of a map, the highest first, equal ones in the image's own order."""
    ties = torch.randperm(values.size, generator=seeds.generator(seed, "ties", image)).tolist()
    return sorted(ties, key=lambda pixel: -float(values.flat[pixel]))


def without_cells(image: Image, cells: list[int]) -> Image:
    """Return the image with cells of a grid of 9 by 9 at 0."""
    height, width = image.shape[1:]
    changed = image.copy()
    for cell in cells:
        row, column = divmod(cell, 9)
        rows = slice(row * height // 9, (row + 1) * height // 9)
        changed[:, rows, column * width // 9 : (column + 1) * width // 9] = 0
    return changed


def drawn_subsets(seed: int, image: str, n: int) -> Iterator[list[int]]:
    """Yield the cells of each subset that is removed: random ones, every cell alone, and such of 8, 20 and 40 cells."""
    stream = seeds.generator(seed, "occlude", image)
    for removed in (torch.rand((n, 81), generator=stream) < 0.2).tolist():
        yield [cell for cell in range(81) if removed[cell]]
    yield from ([cell] for cell in range(81))
    drawn = torch.rand((150, 81), generator=stream).numpy()
    for size, numbers in zip([8] * 50 + [20] * 50 + [40] * 50, drawn, strict=True):
        yield np.argsort(numbers, kind="stable")[:size].tolist()
