"""A map on axes: its colours and their ends are those of the report's panels; over an image; refusals."""

from io import BytesIO

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from reports.pixels import MAP_COLOURS, N_COLOURS, colour_limit, heat_map
from reports.plot import UNDEFINED, show

SIDE = 160  # pixels; larger than the smallest panel, so that the report repeats none


def a_map(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 2, (SIDE, SIDE)).astype(np.float32)


def drawn(ax: Axes) -> NDArray[np.float64]:
    """Return the colours of the map on the axes, (h, w, 3) in 0 to 1."""
    image = ax.images[-1]
    return np.asarray(image.to_rgba(np.ma.asarray(image.get_array())))[..., :3]


def test_colours_are_those_of_a_panel_of_the_report() -> None:
    pixels = a_map()
    ax = show(pixels, ax=Figure().subplots())
    end, _ = colour_limit(pixels)
    assert ax.images[-1].get_clim() == (-end, end)
    panel = np.asarray(Image.open(BytesIO(heat_map(pixels, end, SIDE))).convert("RGB"), np.float64) / 255
    colours = np.asarray(matplotlib.colormaps[MAP_COLOURS](np.linspace(0, 1, N_COLOURS)))[:, :3]
    step = np.abs(np.diff(colours, axis=0)).max()  # a panel has 255 colours, axes 256
    assert np.abs(drawn(ax) - panel).max() < step + 1 / 255


def test_zero_is_white_and_signs_are_red_and_blue() -> None:
    pixels = np.zeros((4, 4), np.float32)
    pixels[0, 0], pixels[3, 3] = 1, -1
    colours = drawn(show(pixels, ax=Figure().subplots()))
    assert colours[1, 1].min() > 0.95
    assert colours[0, 0, 0] > 3 * colours[0, 0, 2]
    assert colours[3, 3, 2] > 3 * colours[3, 3, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_shows_where_the_map_is_small(channels: int) -> None:
    pixels = np.zeros((4, 5), np.float32)
    pixels[0, 0] = 1
    image = np.full((channels, 4, 5), 0.25)
    ax = show(pixels, image, Figure().subplots())
    below, above = ax.images
    np.testing.assert_allclose(np.asarray(below.get_array()), 0.25)
    alpha = np.asarray(above.get_alpha())
    assert (alpha[0, 0], alpha[1:].max()) == (1, 0)


def test_what_is_not_finite_is_grey_and_changes_no_colour() -> None:
    pixels = a_map()
    pixels[0, :2] = np.nan, np.inf
    ax = show(pixels, ax=Figure().subplots())
    assert ax.images[-1].get_clim()[1] == pytest.approx(np.quantile(np.abs(a_map()), 0.99), rel=1e-2)
    np.testing.assert_allclose(drawn(ax)[0, :2], [to_rgb(UNDEFINED)] * 2)


def test_a_tensor_is_drawn_on_new_axes() -> None:
    with pyplot.rc_context({"backend": "agg"}):
        ax = show(torch.ones(3, 3))
        assert pyplot.gcf() is ax.figure
        pyplot.close()


@pytest.mark.parametrize("shape", [(4,), (1, 4, 4)])
def test_other_than_one_map_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not \\(height, width\\); choose one map"):
        show(np.zeros(shape))


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 5), (2, 4, 4)])
def test_an_image_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not \\(1 or 3, 4, 4\\)"):
        show(np.zeros((4, 4)), np.zeros(shape), Figure().subplots())
