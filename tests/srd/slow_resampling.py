"""Reading features at other places, in loops: interpolation, sampling on a grid, unpooling, writing into a part.

Each says of every output, (channel, row, column), which inputs it reads and how much of each. What is done to values
is done to their parts.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import torch
from jaxtyping import Float64
from torch import nn
from torch.nn import functional

Features = Float64[np.ndarray, "c h w"]
Place = tuple[int, int, int]
Reads = dict[Place, list[tuple[Place, float]]]
"""Output -> the inputs that it reads, with their weights."""


class SpatialTransformer(nn.Module):
    """Samples its input where a small network that reads the input says. The places are held constant."""

    def __init__(self, channels: int, *, align_corners: bool) -> None:
        super().__init__()
        self.localise = nn.Sequential(nn.Conv2d(channels, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.where = nn.Linear(12, 6)
        self.align_corners = align_corners

    def grid(self, x: torch.Tensor) -> torch.Tensor:
        theta = torch.eye(2, 3, dtype=x.dtype) + 0.2 * self.where(self.localise(x)).tanh().view(-1, 2, 3)
        grid: torch.Tensor = functional.affine_grid(theta, list(x.shape), align_corners=self.align_corners)
        return grid

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sampled: torch.Tensor = functional.grid_sample(x, self.grid(x), align_corners=self.align_corners)
        return sampled


class Unpooled(nn.Module):
    """Max pooling that tells where the maxima were, and the maxima put back there."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.pool, self.unpool = nn.MaxPool2d(size, return_indices=True), nn.MaxUnpool2d(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maxima, places = self.pool(x)
        unpooled: torch.Tensor = self.unpool(maxima, places, output_size=x.shape)
        return unpooled


class Written(nn.Module):
    """Zeros, into which the first channels are written, and the others shifted to the right by one column."""

    def __init__(self, n_first: int) -> None:
        super().__init__()
        self.n_first = n_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.zeros_like(x)
        out[:, : self.n_first] = x[:, : self.n_first]
        out[:, self.n_first :, :, 1:] = x[:, self.n_first :, :, :-1]
        return out


def upsampled(step: nn.Upsample, x: Features) -> Reads:
    """Output position i reads the input at (i + 1/2) h / H - 1/2, or at i (h - 1) / (H - 1) with aligned corners."""
    _, height, width = x.shape
    factor = step.scale_factor
    assert isinstance(factor, float)
    if step.mode == "nearest":
        return spread(
            x, *(lambda n=n: [[(int(i / factor), 1.0)] for i in range(int(n * factor))] for n in (height, width))
        )
    return spread(x, *(lambda n=n: list(lines(n, int(n * factor), bool(step.align_corners))) for n in (height, width)))


def spread(
    x: Features, rows: Callable[[], list[list[tuple[int, float]]]], columns: Callable[[], list[list[tuple[int, float]]]]
) -> Reads:
    """The product of what is read along the rows and along the columns, channel by channel."""
    along_rows, along_columns = rows(), columns()
    return {
        (c, i, j): [((c, k, m), a * b) for (k, a), (m, b) in product(along_rows[i], along_columns[j])]
        for c, i, j in product(range(len(x)), range(len(along_rows)), range(len(along_columns)))
    }


def lines(n: int, n_out: int, align_corners: bool) -> Iterator[list[tuple[int, float]]]:
    """Between two neighbours, by their distance; beyond the border, the border."""
    for i in range(n_out):
        at = i * (n - 1) / (n_out - 1) if align_corners else max(0.0, (i + 0.5) * n / n_out - 0.5)
        low = int(at)
        yield [(low, 1 - (at - low)), (min(low + 1, n - 1), at - low)]


def sampled(step: SpatialTransformer, x: Features) -> Reads:
    """Between the four neighbours of a place of the grid; what lies beyond the border is 0."""
    _, height, width = x.shape
    grid = step.grid(torch.from_numpy(x)[None])[0].detach().numpy()
    reads: Reads = {}
    for c, i, j in np.ndindex(*x.shape):
        column, row = (
            (g + 1) / 2 * (n - 1) if step.align_corners else ((g + 1) * n - 1) / 2
            for g, n in zip(grid[i, j], (width, height), strict=True)
        )
        reads[c, i, j] = [
            ((c, k, m), (1 - abs(row - k)) * (1 - abs(column - m)))
            for k, m in product(
                (int(np.floor(row)), int(np.floor(row)) + 1), (int(np.floor(column)), int(np.floor(column)) + 1)
            )
            if 0 <= k < height and 0 <= m < width
        ]
    return reads


def unpooled(step: Unpooled, x: Features) -> Reads:
    """A maximum of its window stays where it is; all else is 0."""
    size = int(step.pool.kernel_size)  # type: ignore[arg-type]
    kept: Reads = {place: [] for place in np.ndindex(*x.shape)}
    for c, i, j in np.ndindex(len(x), x.shape[1] // size, x.shape[2] // size):
        window = product(range(i * size, (i + 1) * size), range(j * size, (j + 1) * size))
        k, m = max(window, key=lambda place: float(x[c, place[0], place[1]]))
        kept[c, k, m] = [((c, k, m), 1.0)]
    return kept


def adaptively_pooled(step: nn.AdaptiveMaxPool2d, x: Features) -> Reads:
    """Output i of n takes the largest of the inputs from floor(i h / n) to ceil((i + 1) h / n)."""
    assert isinstance(step.output_size, tuple)
    (height, width), (n_rows, n_columns) = x.shape[1:], step.output_size
    assert n_rows is not None
    assert n_columns is not None
    reads: Reads = {}
    for c, i, j in np.ndindex(len(x), n_rows, n_columns):
        rows = range(i * height // n_rows, -(-(i + 1) * height // n_rows))
        columns = range(j * width // n_columns, -(-(j + 1) * width // n_columns))
        k, m = max(product(rows, columns), key=lambda place: float(x[c, place[0], place[1]]))
        reads[c, i, j] = [((c, k, m), 1.0)]
    return reads


def written(step: Written, x: Features) -> Reads:
    """The first channels as they are, the others from one column to the left; the first column of these is 0."""
    reads: Reads = {}
    for c, i, j in np.ndindex(*x.shape):
        source = j if c < step.n_first else j - 1
        reads[c, i, j] = [((c, i, source), 1.0)] if source >= 0 else []
    return reads


RESAMPLING: dict[type[nn.Module], Callable[..., Reads]] = {
    nn.Upsample: upsampled,
    SpatialTransformer: sampled,
    Unpooled: unpooled,
    nn.AdaptiveMaxPool2d: adaptively_pooled,
    Written: written,
}
