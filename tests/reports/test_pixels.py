"""Panels: what a colour means, and that nothing is hidden."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reports.pixels import (
    BUDGET,
    BYTES_PER_PIXEL,
    USUAL_RULE,
    change_panel,
    colour_limit,
    draw_sheet,
    heat_map,
    map_panel,
    panel_side,
    panel_size,
    photo,
)


def decoded(png: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(np.int64)


def ramp(size: int) -> NDArray[np.float32]:
    return np.linspace(-1, 1, size * size, dtype=np.float32).reshape(size, size)


def test_zero_is_white_positive_is_red_negative_is_blue() -> None:
    pixels = decoded(heat_map(np.array([[-1, 0, 1]], np.float32), 1.0, 224))
    negative, zero, positive = (pixels[0, column] for column in (0, pixels.shape[1] // 2, -1))
    assert zero.min() > 240
    assert positive[0] > positive[2] + 50
    assert negative[2] > negative[0] + 50


def test_values_beyond_the_limit_have_its_colour() -> None:
    pixels = decoded(heat_map(np.array([[1, 5]], np.float32), 1.0, 224))
    assert (pixels[0, 0] == pixels[0, -1]).all()


def test_small_maps_are_enlarged_and_large_ones_reduced() -> None:
    assert decoded(heat_map(ramp(48), 1.0, 48)).shape == (144, 144, 3)
    assert decoded(heat_map(ramp(224), 1.0, 112)).shape == (112, 112, 3)


def test_panels_are_as_large_as_the_budget_allows() -> None:
    assert panel_side(224, 20) == 224
    assert panel_side(48, 10_000) == 48
    large = panel_side(224, 150)
    assert large**2 * 150 * BYTES_PER_PIXEL <= BUDGET


@pytest.mark.parametrize(("shape", "longest"), [((48, 48), 48), ((224, 224), 112), ((30, 60), 224), ((300, 200), 112)])
def test_a_panel_has_the_size_that_is_told_beforehand(shape: tuple[int, int], longest: int) -> None:
    assert map_panel(np.ones(shape, np.float32), 1.0, longest).shape == (*panel_size(*shape, longest), 3)


def test_a_map_has_the_same_colours_alone_and_on_a_sheet() -> None:
    assert (decoded(heat_map(ramp(48), 1.0, 48)) == map_panel(ramp(48), 1.0, 48)).all()


def test_each_panel_of_a_sheet_stands_at_its_place_and_an_empty_place_is_white() -> None:
    panels = {place: np.full((2, 3, 3), place, np.uint8) for place in (0, 1, 3)}
    pixels = decoded(draw_sheet(panels, 2))
    assert pixels.shape == (4, 6, 3)
    quarters = [pixels[:2, :3], pixels[:2, 3:], pixels[2:, :3], pixels[2:, 3:]]
    assert [(int(each.min()), int(each.max())) for each in quarters] == [(0, 0), (1, 1), (255, 255), (3, 3)]


def test_no_change_is_grey() -> None:
    image = np.random.default_rng(0).random((3, 20, 20), np.float32)
    assert (np.abs(change_panel(image, image, 224).astype(np.int64) - 127.5) <= 0.5).all()


def test_the_outline_leaves_what_is_inside_of_the_mask() -> None:
    mask = np.zeros((48, 48), bool)
    mask[10:20, 12:30] = True
    plain, outlined = (map_panel(ramp(48), 1.0, 48, each) for each in (None, mask))
    differs = (plain != outlined).any(-1)
    assert differs.any()
    assert not (differs & mask.repeat(3, 0).repeat(3, 1)).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_images_of_any_number_of_channels_are_shown(channels: int) -> None:
    assert decoded(photo(np.full((channels, 30, 30), 0.5, np.float32), 224)).std() == 0


def test_the_limit_says_its_rule() -> None:
    sparse = np.zeros((20, 20), np.float32)
    sparse[0, 0] = 2
    end, rule = colour_limit(ramp(20))
    assert end == pytest.approx(np.quantile(np.abs(ramp(20)), 0.99))
    assert rule == USUAL_RULE
    assert colour_limit(sparse)[0] == 2
    assert colour_limit(np.zeros_like(sparse), sparse)[0] == 2
    assert colour_limit(np.zeros_like(sparse)) == (1.0, "all maps are 0")
