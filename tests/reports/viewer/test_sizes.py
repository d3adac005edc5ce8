"""How much the viewer holds: it fits, it is as large as it can be, and it is never empty."""

import itertools

import pytest

from reports.pixels import reduced_shape
from reports.viewer.sizes import BUDGET, ENOUGH, SHARD, viewer_size

SHAPES = [(32, 32), (48, 48), (128, 96), (224, 224), (299, 200), (1024, 1024)]
ASKED = list(itertools.product(SHAPES, (1, 12, 100, 10_000), (1, 6, 40), (1, 8, 30)))


@pytest.mark.parametrize(("shape", "images", "conditions", "methods"), ASKED)
def test_the_shards_fit(shape: tuple[int, int], images: int, conditions: int, methods: int) -> None:
    size = viewer_size(shape, images, conditions, methods)
    height, width = reduced_shape(shape, size.longest)
    photo, own = 3 * height * width * 4 / 3, 2 * height * width * 4 / 3  # in base64
    assert size.entries * photo <= SHARD
    assert 1 <= size.images <= images
    assert size.images == 1 or size.images * conditions * (photo + methods * own) <= BUDGET


def test_small_images_are_shown_as_they_are_and_large_ones_reduced() -> None:
    assert viewer_size((48, 48), 36, 23, 7).longest == 48
    assert viewer_size((224, 224), 20, 6, 5).longest == 112


def test_all_images_are_held_where_they_fit() -> None:
    assert viewer_size((48, 48), 20, 10, 7).images == 20


def test_a_side_is_reduced_until_enough_images_fit() -> None:
    size = viewer_size((224, 224), 1000, 12, 14)
    assert size.longest < 112
    assert size.images >= ENOUGH


def test_no_image_needs_no_room() -> None:
    assert viewer_size((48, 48), 0, 3, 3).images == 0
