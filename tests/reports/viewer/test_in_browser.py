"""The viewer in a browser: what it draws is what the maps hold, and every control does what it says."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shown_images
from browser import Opened, started_browser, wait_until
from numpy.typing import NDArray
from shown_images import ABSENT, NAMES, RIGHT_TO_LEFT

from pipeline.machine.writing import write_files
from reports.pixels import colour_limit, map_colours
from reports.viewer.files import viewer_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
SHAPE = (12, 16)
IMAGES = shown_images.images(SHAPE)
MOVED = "#condition=move:srd@8/255&method=srd"
"""The address of the last condition, of which image 0 is the worst."""
COLOURS = """panel => {
  const canvas = document.querySelector(`#${panel} canvas`), [left, top, wide, high] = viewer.view();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colour = (row, column) => {
    const x = Math.floor((column + 0.5 - left) / wide * canvas.width);
    const y = Math.floor((row + 0.5 - top) / high * canvas.height), at = 4 * (y * canvas.width + x);
    return x >= 0 && y >= 0 && x < canvas.width && y < canvas.height ? [...data.subarray(at, at + 4)] : null;
  };
  const { height, width } = viewer.index, count = length => Array.from({ length }, (_, number) => number);
  return count(height).map(row => count(width).map(column => colour(row, column)));
}"""
"""The colour in the middle of each pixel of the image, null where it is out of view."""
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with started_browser() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the viewer and nothing else."""
    folder = tmp_path_factory.mktemp("viewer")
    write_files(folder, viewer_files(shown_images.holdings(SHAPE), IMAGES, shown_images.size(SHAPE)))
    return folder


@pytest.fixture
def opening(browser: "Browser", home: Path) -> Iterator[Open]:
    """Opens the viewer; at the end no page may have complained, or asked for anything that is not on the disk."""
    pages: list[Opened] = []

    def go(fragment: str = MOVED, **how: Any) -> "Page":
        pages.append(Opened(browser, **how))
        page = pages[-1].go(home / "index.html", fragment)
        wait_until(page, "Boolean(viewer.drawn)")
        return page

    yield go
    assert [each.complaints for each in pages] == [[] for _ in pages]
    assert [each.elsewhere for each in pages] == [[] for _ in pages]


def pixels(image: int, condition: int, method: int = 0) -> NDArray[np.float32]:
    found = IMAGES[image].under[condition].maps[method].pixels
    assert found is not None
    return found


def colour(value: float, limit: float) -> list[int]:
    """The definition: the colours are evenly spaced from -limit to +limit, the nearest one counts."""
    colours = map_colours()
    share = (min(1.0, max(-1.0, value / limit)) + 1) / 2
    return [*colours[int(share * (len(colours) - 1) + 0.5)].tolist(), 255]


def drawn(page: "Page", panel: str) -> list[list[list[int] | None]]:
    found: list[list[list[int] | None]] = page.evaluate(COLOURS, panel)
    return found


def listed(page: "Page") -> list[str]:
    found: list[str] = page.locator("#images button > span").all_text_contents()
    return found


def shown_image(page: "Page") -> str | None:
    found: str | None = page.locator("#images [aria-current] > span").text_content()
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_of_any_width_does_not_scroll_sideways(opening: Open, width: int, scheme: str) -> None:
    page = opening(width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'") == (
        scheme == "light"
    )


def test_the_first_image_is_there_within_two_seconds(opening: Open) -> None:
    """Of three times the best: other work on the machine counts."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        opening("")
        taken.append(time.perf_counter() - started)
    assert min(taken) < 2


@pytest.mark.parametrize(("zoom", "in_view"), [(1, 192), (4, 12)])
def test_every_pixel_of_a_canvas_has_the_colour_of_the_value_of_its_map(opening: Open, zoom: int, in_view: int) -> None:
    page = opening(f"{MOVED}&zoom={zoom}&x=0.5&y=0.5")
    clean, moved = (pixels(0, condition).astype(np.float64) for condition in (0, 2))
    limit, _ = colour_limit(pixels(0, 0), pixels(0, 2))
    for panel, values in (("map-before", clean), ("map-after", moved), ("map-change", moved - clean)):
        expected = [[colour(value, limit) for value in row] for row in values.tolist()]
        found = drawn(page, panel)
        seen = [place for place in np.ndindex(SHAPE) if found[place[0]][place[1]] is not None]
        assert len(seen) == in_view
        assert [found[row][column] for row, column in seen] == [expected[row][column] for row, column in seen]


def test_photos_and_their_difference_are_those_of_the_images(opening: Open) -> None:
    page = opening()
    clean, moved = (IMAGES[0].under[condition].photo for condition in (0, 2))
    assert clean is not None
    assert moved is not None
    expected = {"photo-before": clean, "photo-after": moved, "photo-change": (0.5 + 10 * (moved - clean)).clip(0, 1)}
    for panel, image in expected.items():
        found = np.array(drawn(page, panel))[..., :3]
        assert np.abs(found - 255 * np.moveaxis(image, 0, -1)).max() <= 3.5, panel


def test_own_scales_are_announced(opening: Open) -> None:
    page = opening()
    assert page.locator("#banner").is_hidden()
    page.keyboard.press("s")
    assert page.locator("#banner").is_visible()
    own, _ = colour_limit(pixels(0, 2))
    assert drawn(page, "map-after")[4][4] == colour(float(pixels(0, 2)[4, 4]), own)


def test_values_are_read_at_the_pointer_and_by_keys(opening: Open) -> None:
    page = opening()
    box = page.locator("#map-before canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 5.5 / SHAPE[1], box["y"] + box["height"] * 3.5 / SHAPE[0])
    assert_reads(page, 3, 5)
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    assert_reads(page, 4, 4)
    assert "Row 4, column 4: before " in (page.locator("#spoken").text_content() or "")


def assert_reads(page: "Page", row: int, column: int) -> None:
    clean, moved = (float(pixels(0, condition)[row, column]) for condition in (0, 2))
    for panel, value in (("map-before", clean), ("map-after", moved), ("map-change", moved - clean)):
        text = page.locator(f"#{panel} output").text_content() or ""
        assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, rel=1e-3)


def test_worst_come_first_and_arrows_walk_through_them(opening: Open) -> None:
    page = opening()
    ids = [each.id for each in IMAGES]
    assert listed(page) == ids
    for key, image in (("ArrowRight", 1), ("ArrowDown", 2), ("ArrowLeft", 1), ("ArrowUp", 0), ("ArrowUp", 0)):
        page.keyboard.press(key)
        assert shown_image(page) == ids[image]
    page.locator("#order").select_option("best")
    assert listed(page) == ids[::-1]


def test_digits_choose_the_method_and_points_the_condition(opening: Open) -> None:
    page = opening()
    page.keyboard.press("2")
    assert page.locator("#title").text_content() == "Grad-CAM, " + shown_images.CONDITIONS[2].heading
    assert "a caveat; never negative by construction; attack unreliable" in page.locator("#sentence").inner_text()
    page.keyboard.press(",")
    assert page.locator("#title").text_content() == "Grad-CAM, Gaussian noise 0.1"
    page.keyboard.press("9")
    assert page.locator("#title").text_content() == "Grad-CAM, Gaussian noise 0.1"


def test_the_overlay_and_the_mask_are_drawn(opening: Open) -> None:
    page = opening()
    plain = page.evaluate("document.querySelector('#map-before canvas').toDataURL()")
    for key, switch in (("o", "overlay"), ("m", "mask")):
        page.keyboard.press(key)
        assert page.locator(f"#{switch}").get_attribute("aria-pressed") == "true"
        assert page.evaluate("document.querySelector('#map-before canvas').toDataURL()") != plain
        page.keyboard.press(key)
    assert page.evaluate("document.querySelector('#map-before canvas').toDataURL()") == plain


def test_everything_can_be_reached_by_the_tab_key(opening: Open) -> None:
    page = opening()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    wanted = {"method", "condition", "class", "prediction", "order", "overlay", "mask", "own", "closer", "SUMMARY"}
    assert wanted <= set(reached)


def test_the_address_says_what_is_shown(opening: Open) -> None:
    page = opening()
    for key in ("ArrowRight", "2", ",", "o", "+", "Shift+ArrowUp"):
        page.keyboard.press(key)
    wait_until(page, "location.hash === viewer.address()")
    state = page.evaluate("viewer.state")
    found = opening(page.evaluate("location.hash")).evaluate("viewer.state")
    assert found == pytest.approx(state, abs=1e-3)


def test_an_address_that_makes_no_sense_shows_the_worst_image(opening: Open) -> None:
    page = opening("#image=%3Cscript%3E&method=x&condition=%FF&zoom=NaN&row=1e9&column=-4&by=%")
    assert shown_image(page) == IMAGES[0].id
    assert page.locator("#title").text_content() == "SRD, " + shown_images.CONDITIONS[2].heading


def test_images_are_filtered_by_class_and_by_prediction(opening: Open) -> None:
    page = opening()
    page.locator("#class").select_option(label=RIGHT_TO_LEFT)
    assert listed(page) == [f"{RIGHT_TO_LEFT} 1"]
    assert shown_image(page) == f"{RIGHT_TO_LEFT} 1"
    page.locator("#class").select_option(label="any")
    page.locator("#prediction").select_option("changed")
    assert listed(page) == [each.id for each in IMAGES[1::2]]


def test_conditions_are_filtered_by_their_kind(opening: Open) -> None:
    page = opening()
    page.locator("#family").select_option("noise")
    assert page.locator("#condition option").count() == 1
    assert page.locator("#title").text_content() == "SRD, Gaussian noise 0.1"


def test_clean_images_have_one_photo_and_one_map(opening: Open) -> None:
    page = opening("#condition=clean")
    assert page.locator("#panels figure:visible").count() == 2


def test_names_are_texts_whatever_they_hold(opening: Open) -> None:
    page = opening()
    assert listed(page) == [f"{name} {number}" for number, name in enumerate(NAMES)]
    assert page.evaluate("window.wasRun") is None
    assert page.locator("img").count() == 0


def test_where_there_is_no_map_the_reason_is_told(opening: Open) -> None:
    page = opening("#condition=move:srd@8/255&method=cam")
    assert listed(page)[-1] == IMAGES[1].id, "what has no score comes last"
    page.locator("#images button").last.click()
    page.locator("#map-after .absent").wait_for()
    assert page.locator("#map-after .absent").text_content() == ABSENT
    assert page.locator("#map-change .absent").text_content() == ABSENT
    assert page.locator("#map-before canvas").is_visible()


def test_a_wheel_zooms_all_panels_at_the_pointer(opening: Open) -> None:
    page = opening()
    page.locator("#map-change canvas").hover(position={"x": 1, "y": 1})
    page.mouse.wheel(0, -100)
    wait_until(page, "viewer.state.zoom > 1")
    assert page.evaluate("viewer.view().slice(0, 2)") == pytest.approx([0, 0], abs=0.05)
    page.keyboard.press("z")
    assert page.evaluate("viewer.state.zoom") == 1


@pytest.mark.parametrize("file", ["data/0000-0.js", "data/index.js"])
def test_a_file_that_is_missing_is_named(browser: "Browser", home: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(home, tmp_path / "viewer")
    (tmp_path / "viewer" / file).unlink()
    page = Opened(browser).go(tmp_path / "viewer" / "index.html", MOVED)
    page.locator("#message").wait_for()
    assert f"The file {file} is missing" in (page.locator("#message").text_content() or "")


def test_words_tell_the_map_to_those_who_do_not_see_it(opening: Open) -> None:
    page = opening()
    label = page.locator("#map-after canvas").get_attribute("aria-label") or ""
    row, column = np.unravel_index(pixels(0, 2).argmax(), SHAPE)
    assert label.startswith("map after: largest +")
    assert f"at row {row}, column {column};" in label
    shares = [float(each.split()[0]) for each in page.locator("#regions td:last-child").all_text_contents()]
    ninths = np.add.reduceat(np.add.reduceat(np.abs(pixels(0, 2)), [0, 4, 8], 0), [0, 6, 11], 1)
    assert shares == pytest.approx((100 * ninths / ninths.sum()).flatten(), abs=0.06)
