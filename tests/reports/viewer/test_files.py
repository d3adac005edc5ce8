"""The files of the viewer: shards hold the values and limits of the maps, and nothing is larger than it may be."""

import re
from dataclasses import replace

import numpy as np
import pytest
import shown_images
from shown_images import ABSENT, CONDITIONS, METHODS, NAMES, SCRIPT, arguments_of, entries_of, map_of

from pipeline.machine.writing import File
from reports.pixels import clipped_share, colour_limit
from reports.viewer import sizes
from reports.viewer.contents import ShownImage, ShownMap
from reports.viewer.entries import NO_CLEAN_MAP
from reports.viewer.files import INDEX, PAGE, SCRIPTS, viewer_files
from reports.viewer.sizes import SHARD

SHAPE = (12, 12)


def files_of(images: list[ShownImage], shape: tuple[int, int] = SHAPE) -> list[File]:
    return list(viewer_files(shown_images.holdings(shape), images, shown_images.size(shape, len(images))))


@pytest.fixture(scope="module")
def images() -> list[ShownImage]:
    return shown_images.images()


@pytest.fixture(scope="module")
def files(images: list[ShownImage]) -> list[File]:
    return files_of(images)


def test_the_same_images_give_the_same_bytes(files: list[File]) -> None:
    assert files_of(shown_images.images()) == files


def test_every_map_is_there_with_its_values_and_the_limits_of_the_report(
    images: list[ShownImage], files: list[File]
) -> None:
    for number, image in enumerate(images):
        entries = entries_of(files, number)
        assert len(entries) == len(CONDITIONS) * (1 + len(METHODS))
        for condition, shown in enumerate(image.under):
            for method, own in enumerate(shown.maps):
                entry, clean = entries[condition * (1 + len(METHODS)) + 1 + method], image.under[0].maps[method].pixels
                if own.pixels is None:
                    assert entry == {"absent": ABSENT}
                    continue
                assert clean is not None
                end, _ = colour_limit(clean, own.pixels)
                assert (map_of(entry, SHAPE) == own.pixels).all()
                assert entry["limit"] == end
                shares = [clipped_share(own.pixels, end), clipped_share(own.pixels - clean, end)]
                assert entry["beyond"] == (shares if condition else shares[:1])


def test_maps_without_a_clean_one_say_by_what_they_are_drawn(images: list[ShownImage]) -> None:
    clean, noisy, moved = images[0].under
    broken = replace(clean, maps=(ShownMap(None, ABSENT), clean.maps[1]))
    entries = entries_of(files_of([replace(images[0], under=(broken, noisy, moved))]), 0)
    entry, pixels = entries[4], noisy.maps[0].pixels
    assert pixels is not None
    assert entry["rule"] == NO_CLEAN_MAP
    assert entry["limit"] == colour_limit(pixels)[0]
    assert len(entry["beyond"]) == 1


def test_an_image_that_was_not_computed_has_no_photo(images: list[ShownImage]) -> None:
    clean, noisy, moved = images[0].under
    image = replace(images[0], under=(clean, replace(noisy, photo=None, prediction=None), moved))
    files = files_of([image])
    assert entries_of(files, 0)[3] == {}
    (index,) = arguments_of(dict(files)[INDEX])[1]
    assert index["images"][0]["predictions"][1] is None


def test_large_images_are_reduced_by_area_means() -> None:
    shape = (224, 224)
    images = shown_images.images(shape, NAMES[:1])
    files = files_of(images, shape)
    pixels = images[0].under[1].maps[0].pixels
    assert pixels is not None
    means = pixels.reshape(112, 2, 112, 2).mean((1, 3))
    found = map_of(entries_of(files, 0)[4], (112, 112))
    assert np.abs(found - means).max() <= np.abs(means).max() / 2048
    assert "by area means" in dict(files)[PAGE].decode()


def test_no_shard_is_larger_than_a_megabyte() -> None:
    shape = (128, 128)
    files = files_of(shown_images.images(shape, NAMES[:2]), shape)
    assert max(len(content) for name, content in files if name.startswith("data/")) <= SHARD


def test_an_image_of_many_maps_has_several_shards() -> None:
    shape = (128, 128)
    images, methods = shown_images.images(shape, NAMES[:1]), METHODS * 20
    many = replace(images[0], under=tuple(replace(each, maps=each.maps * 20) for each in images[0].under))
    holdings = replace(shown_images.holdings(shape), methods=methods)
    files = list(viewer_files(holdings, [many], shown_images.size(shape, 1)))
    shards = [content for name, content in files if name.startswith("data/0000-")]
    assert len(shards) > 3
    assert max(map(len, shards)) <= SHARD
    assert len(entries_of(files, 0)) == len(CONDITIONS) * (1 + len(methods))


def test_the_index_names_everything_once(images: list[ShownImage], files: list[File]) -> None:
    function, (index,) = arguments_of(dict(files)[INDEX])
    assert function == "viewer.open"
    assert [each["id"] for each in index["images"]] == [each.id for each in images]
    assert sorted(index["classes"]) == sorted(NAMES)
    assert [index["classes"][each["label"]] for each in index["images"]] == [each.label for each in images]
    assert index["images"][3]["scores"][1][0] == [0.3, 0.5]


def test_the_page_holds_no_script_and_no_style_and_names_stay_texts(files: list[File]) -> None:
    """The policy of the page forbids both; only files beside it are loaded."""
    page = dict(files)[PAGE].decode()
    assert SCRIPT not in page
    assert re.findall(r"<script[^>]*>(.*?)</script>", page) == [""] * (len(SCRIPTS) + 1)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert set(re.findall(r'(?:src|href)="([^"#]*)"', page)) - {""} == {*SCRIPTS, INDEX, "viewer.css", "../index.html"}


def test_no_script_loads_what_a_file_cannot_or_turns_text_into_markup(files: list[File]) -> None:
    code = "".join(content.decode() for name, content in files if name in SCRIPTS)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|^import |innerHTML|eval\(|localStorage", code, re.MULTILINE)


@pytest.mark.parametrize("shape", [(12, 12), (96, 128), (224, 224)])
def test_the_room_that_is_counted_is_taken(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for two images and a half there are two; three would not fit."""
    images = shown_images.images(shape, NAMES[:4])
    taken = sum(len(content) for name, content in files_of(images, shape) if name.startswith("data/0"))
    monkeypatch.setattr(sizes, "BUDGET", int(taken / 4 * 2.5))
    monkeypatch.setattr(sizes, "FACTS", 0)
    monkeypatch.setattr(sizes, "ENOUGH", 1)  # at full size
    assert shown_images.size(shape, 4).images == 2
