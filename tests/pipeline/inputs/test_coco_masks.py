"""Masks from a JSON file of COCO's instances: those of an image's own class, crowds ignored, nothing misplaced."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered_images import HEIGHT, WIDTH, load, object_of, write_numbered
from numpy.typing import NDArray

from pipeline.inputs.run_lengths import from_polygon
from srd.errors import DataError

CATEGORIES = [{"id": 18, "name": "Ant"}, {"id": 3, "name": "honey bee"}, {"id": 7, "name": "leaf"}]
IMAGES = {"ant/0.png": 5, "ant/1.png": 2, "honey_bee/0.png": 9, "wasp/0.png": 4}
"""The images, and the ids that the file gives them."""


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    flat = mask.T.flatten()
    ends = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1]))
    return {"size": list(mask.shape), "counts": np.diff(ends, prepend=0).tolist()}


def annotation(image: str, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    return {"image_id": IMAGES[image], "category_id": category, "segmentation": segmentation, "iscrowd": crowd}


def write_instances(base: Path, annotations: list[dict[str, Any]], **parts: Any) -> None:
    images = [{"id": id_, "file_name": name, "height": HEIGHT, "width": WIDTH} for name, id_ in IMAGES.items()]
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES} | parts
    (base / "instances.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for number, name in enumerate(IMAGES):
        write_numbered(tmp_path / "images" / name, number)
    return tmp_path


def masks(base: Path) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    data = load(base, path="images", masks="instances.json")
    return {
        name: (data.masks([row])[0].numpy(), data.ignored_pixels([row])[0].numpy()) for row, name in enumerate(data.ids)
    }


def test_each_image_has_the_masks_of_its_own_class(base: Path) -> None:
    triangle = [2.0, 1.0, 14.5, 2.5, 6.0, 10.0]
    write_instances(
        base,
        [
            annotation("ant/0.png", 7, run_lengths(object_of(8))),
            annotation("ant/0.png", 18, run_lengths(object_of(0))),
            annotation("ant/1.png", 18, run_lengths(object_of(1))),
            annotation("ant/1.png", 18, [triangle, [0, 0, 2, 0, 2, 2, 0, 2]]),
            annotation("honey_bee/0.png", 3, run_lengths(object_of(2))),
            annotation("honey_bee/0.png", 3, run_lengths(object_of(3)), crowd=1),
        ],
    )
    found = masks(base)
    assert (found["ant/0.png"][0] == object_of(0)).all()
    expected = object_of(1) | from_polygon(triangle, HEIGHT, WIDTH)
    expected[:2, :2] = True
    assert (found["ant/1.png"][0] == expected).all()
    assert (found["honey_bee/0.png"][0] == object_of(2)).all()
    assert (found["honey_bee/0.png"][1] == (object_of(3) & ~object_of(2))).all()
    assert not found["ant/1.png"][1].any()


def test_an_image_without_its_class_has_no_mask_and_says_so(base: Path) -> None:
    write_instances(
        base,
        [
            annotation("ant/0.png", 3, run_lengths(object_of(0))),
            annotation("wasp/0.png", 3, run_lengths(object_of(1))),
            annotation("wasp/0.png", 7, run_lengths(object_of(1))),
            annotation("honey_bee/0.png", 3, run_lengths(object_of(2))),
        ],
    )
    for name, (inside, ignored) in masks(base).items():
        assert inside.any() == (name == "honey_bee/0.png")
        assert ignored.all() == (name != "honey_bee/0.png")
    notes = load(base, path="images", masks="instances.json").notes
    assert notes == ("ant/0.png and 2 more: no mask says where the object is",)


def test_a_class_that_no_category_is_called_by_has_the_only_one_of_the_image(base: Path) -> None:
    write_instances(base, [annotation("wasp/0.png", 3, run_lengths(object_of(1)))] * 2)
    assert (masks(base)["wasp/0.png"][0] == object_of(1)).all()
    assert load(base, path="images", masks="instances.json").notes[0] == (
        "1 images: no category of data.masks is called as their class; "
        "their mask is of the only category that they have"
    )


def test_the_title_of_a_class_is_a_name_as_well(base: Path) -> None:
    (base / "classes.json").write_text('[["ant", "x"], ["honey_bee", "y"], ["wasp", "HONEY BEE"]]', encoding="utf-8")
    write_instances(base, [annotation("wasp/0.png", 3, run_lengths(object_of(1)))])
    data = load(base, {"classes": "classes.json"}, path="images", masks="instances.json")
    assert (data.masks([data.ids.index("wasp/0.png")])[0].numpy() == object_of(1)).all()


def test_images_are_found_by_their_bare_names_where_these_are_clear(base: Path) -> None:
    (base / "images/ant/1.png").rename(base / "images/ant/one.png")
    images = [{"id": 1, "file_name": "train/one.png", "height": HEIGHT, "width": WIDTH}]
    images += [
        {"id": id_, "file_name": f"train/{name}", "height": HEIGHT, "width": WIDTH} for name, id_ in IMAGES.items()
    ]
    found = {"image_id": 1, "category_id": 18, "segmentation": run_lengths(object_of(1))}
    write_instances(base, [found], images=images)
    with pytest.raises(
        DataError, match=r"instances\.json: 3 images are called '0\.png'; give each a file_name that is"
    ):
        masks(base)
    for name in list(IMAGES):
        if not name.endswith("1.png"):
            (base / "images" / name).unlink()
    assert (masks(base)["ant/one.png"][0] == object_of(1)).all()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [HEIGHT, WIDTH], "counts": [3]}, "run lengths do not fill 17x12 pixels"),
        (
            {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]},
            r"run lengths are of \[17, 12\], the image of \[12, 17\]",
        ),
        ({"size": [HEIGHT, WIDTH], "counts": "@@"}, "end within a number|do not fill"),
        ({"counts": [HEIGHT * WIDTH]}, "KeyError: 'size'"),
        ([[1, 2]], "a polygon needs x and y of three corners or more"),
        ([], "has no polygon"),
        (None, "TypeError"),
        ("text", "TypeError"),
    ],
)
def test_a_segmentation_that_cannot_be_read_is_refused(base: Path, segmentation: Any, message: str) -> None:
    write_instances(base, [annotation("ant/0.png", 18, segmentation)])
    with pytest.raises(
        DataError,
        match=rf"^data\.masks = .*instances\.json: image 'ant/0\.png': .*(?:{message}).*; correct the annotation",
    ):
        masks(base)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", "JSONDecodeError"),
        (b"[]", "ValidationError"),
        (b'{"images": [], "annotations": []}', "categories"),
        (b'{"images": [{"id": "1"}], "annotations": [], "categories": []}', "ValidationError"),
        (b'{"images": [], "annotations": [{"image_id": 1}], "categories": []}', "annotations.0.category_id"),
        (b'{"images": [], "annotations": [], "categories": []}', "no images are called '0.png'; give each a file_name"),
    ],
)
def test_a_file_that_holds_no_instances_is_refused(base: Path, content: bytes, message: str) -> None:
    (base / "instances.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"(?s)^data\.masks = .*instances\.json: .*{message}"):
        masks(base)


def test_a_mask_of_another_size_is_refused(base: Path) -> None:
    images = [{"id": id_, "file_name": name, "height": WIDTH, "width": HEIGHT} for name, id_ in IMAGES.items()]
    found = annotation("ant/0.png", 18, {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]})
    write_instances(base, [found], images=images)
    with pytest.raises(DataError, match=r"a mask must have the size of its image; it is 12x17, .*ant/0\.png is 17x12"):
        masks(base)


def test_another_annotation_is_another_digest(base: Path) -> None:
    digests = set()
    for number in (0, 1):
        for crowd in (0, 1):
            write_instances(base, [annotation("ant/0.png", 18, run_lengths(object_of(number)), crowd)])
            digests.add(load(base, path="images", masks="instances.json").digest)
    assert len(digests) == 4
