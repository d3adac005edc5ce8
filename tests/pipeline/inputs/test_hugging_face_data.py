"""Data sets of Hugging Face on a disk: each row with its own label and mask, decoded by the door for image files."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered_images import HEIGHT, WIDTH, load, numbered, numbers_of, object_of
from PIL import Image

from srd.errors import DataError

datasets: Any = pytest.importorskip("datasets", reason="the extra [huggingface] is not installed")
LABELS = [2, 0, 1, 1, 0, 2]
NAMES = ["cat", "ant", "bee"]


def png(pixels: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def table(labels: Any = None, **columns: Any) -> Any:
    """Return a table of numbered images with labels of a class."""
    features = {"image": datasets.Image(), "label": labels or datasets.ClassLabel(names=NAMES)}
    features |= {name: datasets.Image() for name in columns if name != "label"}
    images = [{"bytes": png(numbered(number)), "path": None} for number in range(6)]
    given = {"image": images, "label": LABELS} | columns
    return datasets.Dataset.from_dict(given, datasets.Features(features))


def masks() -> list[dict[str, Any]]:
    return [{"bytes": png(object_of(number).astype(np.uint8) * 255), "path": None} for number in range(6)]


def save(base: Path, content: Any) -> None:
    content.save_to_disk(str(base / "set"))


def read(base: Path, model: dict[str, Any] | None = None, **keys: Any) -> Any:
    return load(base, model, path="set", format="huggingface", **keys)


def test_each_row_has_its_label_and_its_mask(tmp_path: Path) -> None:
    save(tmp_path, table(mask=masks()))
    data = read(tmp_path)
    assert numbers_of(data.images(range(6))) == list(range(6))
    assert [data.classes[label] for label in data.labels] == [NAMES[label] for label in LABELS]
    assert data.classes == tuple(NAMES)
    assert (data.masks(range(6)).numpy() == [object_of(number) for number in range(6)]).all()
    assert data.description == "6 images of 6 rows of set"


@pytest.mark.parametrize(
    ("labels", "values", "classes"),
    [("string", ["c", "a", "b", "b", "a", "c"], ("a", "b", "c")), ("int64", LABELS, ("0", "1", "2"))],
)
def test_labels_may_be_plain_values(tmp_path: Path, labels: str, values: list[Any], classes: tuple[str, ...]) -> None:
    save(tmp_path, table(datasets.Value(labels), label=values))
    data = read(tmp_path)
    assert data.classes == classes
    assert data.labels == tuple(LABELS)


def test_the_classes_of_the_spec_give_the_order(tmp_path: Path) -> None:
    save(tmp_path, table())
    (tmp_path / "classes.json").write_text('{"id2label": {"0": "ant", "1": "dog", "2": "cat", "3": "bee"}}')
    data = read(tmp_path, {"classes": "classes.json"})
    assert [data.classes[label] for label in data.labels] == [NAMES[label] for label in LABELS]
    assert len(data.classes) == 4


def test_a_split_is_named_where_there_are_several(tmp_path: Path) -> None:
    save(tmp_path, datasets.DatasetDict({"train": table().select([0]), "test": table().select([4, 2])}))
    data = read(tmp_path, split="test")
    assert numbers_of(data.images(range(2))) == [4, 2]
    assert data.labels == (0, 1)
    for split in (None, "val"):
        with pytest.raises(DataError, match=r"has the splits train, test; name one of these"):
            read(tmp_path, split=split)


def test_a_table_without_splits_has_none_to_name(tmp_path: Path) -> None:
    save(tmp_path, table())
    with pytest.raises(DataError, match=r"data\.split = 'test': .* has no splits; remove the key"):
        read(tmp_path, split="test")


def test_images_may_lie_in_files(tmp_path: Path) -> None:
    paths = []
    for number in range(6):
        paths.append({"bytes": None, "path": str(tmp_path / f"{number}.png")})
        (tmp_path / f"{number}.png").write_bytes(png(numbered(number)))
    save(tmp_path, table(image=paths))
    assert numbers_of(read(tmp_path).images(range(6))) == list(range(6))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: table().remove_columns("label"), "has no column of labels among image; call one 'label'"),
        (lambda: table().remove_columns("image"), "has 0 columns of images among label; call one 'image'"),
        (lambda: table().rename_column("image", "a").add_column("b", [1] * 6).cast_column("b", datasets.Value("int8"))
         .remove_columns("label"), "has no column of labels among a, b"),
        (lambda: table(label=[-1, 0, 1, 1, 0, 2]), "row 0 has no label; remove the row"),
        (lambda: table(image=[{"bytes": b"text", "path": None}] * 6), "row 0 of image: cannot be read as an image"),
        (lambda: table(image=[None] * 6), "row 0 of image: has no image; remove the row"),
    ],
)  # fmt: skip
def test_a_table_that_is_no_data_set_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    save(tmp_path, content())
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_folder_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^data\.path = .*set: .*; name a folder that `save_to_disk` of `datasets` has"
    ):
        read(tmp_path)


def test_the_shape_of_images_is_that_of_the_files(tmp_path: Path) -> None:
    save(tmp_path, table())
    assert read(tmp_path, {"channels": 1}).images([0]).shape == (1, 1, HEIGHT, WIDTH)
