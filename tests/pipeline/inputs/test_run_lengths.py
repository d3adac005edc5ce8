"""COCO's masks: run lengths and polygons equal closed forms, and what pycocotools makes of them where it is."""

import re
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.inputs.run_lengths import decompress, from_polygon, from_run_lengths

HEIGHT, WIDTH = 9, 7


@pytest.fixture
def oracle() -> ModuleType:
    found: ModuleType = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    return found


def by_columns(mask: NDArray[np.bool_]) -> list[int]:
    """Return the run lengths of a mask, counted one pixel at a time."""
    counts, value = [0], False
    for pixel in mask.T.flatten().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def compress(counts: list[int]) -> str:
    """Return the compressed text, as the comments in COCO's maskApi.c describe it."""
    text = ""
    for index, count in enumerate(counts):
        number = count - counts[index - 2] if index > 2 else count
        while True:
            bits, number = number & 31, number >> 5
            is_last = number == (-1 if bits & 16 else 0)
            text += chr(48 + bits + (0 if is_last else 32))
            if is_last:
                break
    return text


def masks() -> list[NDArray[np.bool_]]:
    draw = np.random.default_rng(0)
    drawn = [draw.random((HEIGHT, WIDTH)) < share for share in (0.1, 0.5, 0.9) for _ in range(10)]
    large = [np.kron(draw.random((5, 4)) < 0.5, np.ones((60, 70), bool)) for _ in range(5)]
    return [*drawn, *large, np.zeros((HEIGHT, WIDTH), bool), np.ones((HEIGHT, WIDTH), bool)]


def test_run_lengths_are_those_of_the_columns() -> None:
    for mask in masks():
        assert np.array_equal(from_run_lengths(by_columns(mask), *mask.shape), mask)


def test_a_written_example() -> None:
    """Two pixels outside, three inside, one outside, in two columns of three."""
    assert from_run_lengths([2, 3, 1], 3, 2).tolist() == [[False, True], [False, True], [True, False]]


def test_compressed_run_lengths_are_read_as_they_were_written() -> None:
    for mask in masks():
        counts = by_columns(mask)
        assert decompress(compress(counts)) == counts


def test_pycocotools_writes_the_same(oracle: ModuleType) -> None:
    for mask in masks():
        written = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert np.array_equal(from_run_lengths(decompress(written["counts"].decode()), *mask.shape), mask)


@pytest.mark.parametrize(
    ("left", "top", "right", "bottom"),
    [(1, 2, 4, 7), (0, 0, WIDTH, HEIGHT), (2, 3, 3, 4), (-3, -2, 4, 5), (3, 3, 99, 99)],
)
def test_a_rectangle_is_the_pixels_within(left: int, top: int, right: int, bottom: int) -> None:
    for corners in (
        (left, top, right, top, right, bottom, left, bottom),
        (left, bottom, right, bottom, right, top, left, top),
    ):
        expected = np.zeros((HEIGHT, WIDTH), bool)
        expected[max(0, top) : bottom, max(0, left) : right] = True
        assert np.array_equal(from_polygon(corners, HEIGHT, WIDTH), expected)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_polygons_are_those_of_pycocotools(oracle: ModuleType) -> None:
    draw = np.random.default_rng(1)
    for number in range(300):
        height, width = (int(side) for side in draw.integers(1, 60, 2))
        corners = draw.uniform(-0.2, 1.2, (int(draw.integers(3, 12)), 2)) * (width, height)
        if number % 3 == 0:
            corners = corners.round()
        (rle,) = oracle.frPyObjects([corners.flatten().tolist()], height, width)
        assert np.array_equal(
            from_polygon(corners.flatten().tolist(), height, width), oracle.decode(rle).astype(bool)
        ), corners


def test_a_circle_covers_its_area() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([50 + 30 * np.cos(angles), 40 + 30 * np.sin(angles)], 1).flatten()
    found = from_polygon(circle.tolist(), 90, 100)
    assert found.sum() == pytest.approx(np.pi * 30**2, rel=0.01)
    rows, columns = np.nonzero(found)
    assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx((40, 50), abs=0.1)


@pytest.mark.parametrize("counts", [[62], [64], [-1, 64], [1.0, 62], [], ["63"], [True, 62]])
def test_run_lengths_that_do_not_fill_the_mask_are_refused(counts: list[object]) -> None:
    with pytest.raises(ValueError, match="do not fill 7x9"):
        from_run_lengths(counts, HEIGHT, WIDTH)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"), [("P", "end within"), ("0p", "is no character"), ("0 ", "is no character")]
)
def test_text_that_is_no_compressed_run_lengths_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        decompress(text)


@pytest.mark.parametrize(
    "corners",
    [[], [1, 2, 3, 4], [1, 2, 3, 4, 5], [0, 0, 1, 1, float("nan"), 2], [[0, 0], [1, 1], [2, 2]], [0, 0, 1, 1, 1e9, 2]],
)
def test_what_is_no_polygon_is_refused(corners: list[object]) -> None:
    with pytest.raises(ValueError, match=r"needs x and y|far outside"):
        from_polygon(corners, HEIGHT, WIDTH)  # type: ignore[arg-type]
