"""Data sets of Hugging Face on a disk: each row with its own label and mask, decoded by the door for image files."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered_images import HEIGHT, WIDTH, load, numbered, numbers_of, object_of
from PIL import Image

from pipeline.inputs.data import Data
from srd.errors import DataError

pyarrow: Any = pytest.importorskip("pyarrow", reason="the extra [huggingface] is not installed")
LABELS = [2, 0, 1, 1, 0, 2]
NAMES = ["cat", "ant", "bee"]
CLASS = {"names": NAMES, "_type": "ClassLabel"}


def png(pixels: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def cells(contents: list[bytes]) -> list[dict[str, Any]]:
    return [{"bytes": content, "path": None} for content in contents]


IMAGES = cells([png(numbered(number)) for number in range(6)])
MASKS = cells([png(object_of(number).astype(np.uint8) * 255) for number in range(6)])


def save(folder: Path, parts: int = 2, kind: Any = CLASS, **columns: Any) -> None:
    """Write a table as `save_to_disk` does: streams of Arrow, with what they hold in JSON."""
    given = {"image": IMAGES, "label": LABELS} | columns
    given = {name: values for name, values in given.items() if values is not None}
    cell = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    kinds = {name: kind if name == "label" else {"_type": "Image"} for name in given}
    whole = pyarrow.table({n: pyarrow.array(v, None if n == "label" else cell) for n, v in given.items()})
    folder.mkdir(parents=True)
    files = [f"data-{part:05d}-of-{parts:05d}.arrow" for part in range(parts)]
    for part, name in enumerate(files):
        rows = whole.slice(part * 6 // parts, (part + 1) * 6 // parts - part * 6 // parts)
        with pyarrow.OSFile(str(folder / name), "wb") as file, pyarrow.ipc.new_stream(file, rows.schema) as stream:
            stream.write_table(rows)
    (folder / "dataset_info.json").write_text(json.dumps({"citation": "", "features": kinds}), encoding="utf-8")
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": name} for name in files]}), encoding="utf-8"
    )


def read(base: Path, model: dict[str, Any] | None = None, **keys: Any) -> Data:
    return load(base, model, path="set", format="huggingface", **keys)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_each_row_has_its_label_and_its_mask(tmp_path: Path, parts: int) -> None:
    save(tmp_path / "set", parts, mask=MASKS)
    data = read(tmp_path)
    assert numbers_of(data.images(range(6))) == list(range(6))
    assert [data.classes[label] for label in data.labels] == [NAMES[label] for label in LABELS]
    assert data.classes == tuple(NAMES)
    assert (data.masks(range(6)).numpy() == [object_of(number) for number in range(6)]).all()
    assert data.description == "6 images of 6 rows of set"


def test_what_datasets_itself_saves_is_read(tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets", reason="datasets is not installed: nothing to compare with")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    table = datasets.Dataset.from_dict({"image": IMAGES, "label": LABELS}, features)
    datasets.DatasetDict({"test": table.select([4, 0, 2])}).save_to_disk(str(tmp_path / "set"))
    data = read(tmp_path)
    assert numbers_of(data.images(range(3))) == [4, 0, 2]
    assert data.labels == (0, 2, 1)


@pytest.mark.parametrize(
    ("kind", "values", "classes"),
    [("string", ["c", "a", "b", "b", "a", "c"], ("a", "b", "c")), ("int64", LABELS, ("0", "1", "2"))],
)
def test_labels_may_be_plain_values(tmp_path: Path, kind: str, values: list[Any], classes: tuple[str, ...]) -> None:
    save(tmp_path / "set", kind={"dtype": kind, "_type": "Value"}, label=values)
    data = read(tmp_path)
    assert data.classes == classes
    assert data.labels == tuple(LABELS)


def test_the_classes_of_the_spec_give_the_order(tmp_path: Path) -> None:
    save(tmp_path / "set")
    (tmp_path / "classes.json").write_text(
        '{"id2label": {"0": "ant", "1": "dog", "2": "cat", "3": "bee"}}', encoding="utf-8"
    )
    data = read(tmp_path, {"classes": "classes.json"})
    assert [data.classes[label] for label in data.labels] == [NAMES[label] for label in LABELS]
    assert len(data.classes) == 4


def test_a_split_is_named_where_there_are_several(tmp_path: Path) -> None:
    save(tmp_path / "set/train")
    save(tmp_path / "set/test", image=IMAGES[::-1])
    (tmp_path / "set/dataset_dict.json").write_text('{"splits": ["train", "test"]}', encoding="utf-8")
    assert numbers_of(read(tmp_path, split="train").images(range(6))) == [0, 1, 2, 3, 4, 5]
    assert numbers_of(read(tmp_path, split="test").images(range(6))) == [5, 4, 3, 2, 1, 0]
    for split in (None, "val"):
        with pytest.raises(DataError, match=r"has the splits train, test; name one of these"):
            read(tmp_path, split=split)


def test_a_table_without_splits_has_none_to_name(tmp_path: Path) -> None:
    save(tmp_path / "set")
    with pytest.raises(DataError, match=r"data\.split = 'test': .* has no splits; remove the key"):
        read(tmp_path, split="test")


def test_images_may_lie_in_files(tmp_path: Path) -> None:
    paths = []
    for number in range(6):
        paths.append({"bytes": None, "path": str(tmp_path / f"{number}.png")})
        (tmp_path / f"{number}.png").write_bytes(png(numbered(number)))
    save(tmp_path / "set", image=paths)
    assert numbers_of(read(tmp_path).images(range(6))) == list(range(6))


TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "no labels": ({"label": None}, "has no column of labels among image; call one 'label'"),
    "no images": ({"image": None}, "has 0 columns of images among label; call one 'image'"),
    "two": ({"image": None, "a": IMAGES, "b": IMAGES}, "has 2 columns of images among label, a, b; call one 'image'"),
    "unlabelled": ({"label": [-1, 0, 1, 1, 0, 2]}, "row 0 has no label; remove the row"),
    "unnamed": ({"label": [3, 0, 1, 1, 0, 2]}, "label holds 3, but has 3 names; save the data set anew"),
    "text": ({"image": cells([b"text"] * 6)}, "row 0 of image: cannot be read as an image"),
    "nothing": ({"image": [None] * 6}, "row 0 of image: has no image; remove the row"),
    "lost": ({"image": [{"bytes": None, "path": "/nowhere.png"}] * 6}, "/nowhere.png: cannot be read as an image"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_no_data_set_is_refused(tmp_path: Path, name: str) -> None:
    columns, message = TABLES[name]
    save(tmp_path / "set", **columns)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("dataset_info.json", "{}"),
        ("dataset_info.json", '{"features": {"image": {"_type": "Image"}}}'),
        ("state.json", '{"_data_files": [{"filename": "../set/data-00000-of-00002.arrow"}]}'),
        ("state.json", '{"_data_files": []}'),
        ("state.json", "["),
        ("data-00001-of-00002.arrow", "text"),
        ("dataset_dict.json", "{}"),
    ],
)
def test_a_folder_that_was_damaged_is_refused(tmp_path: Path, file: str, content: str) -> None:
    save(tmp_path / "set")
    (tmp_path / "set" / file).write_text(content, encoding="utf-8")
    with pytest.raises(
        DataError, match=r"^data\.path = .*set: .*; name a folder that `save_to_disk` of `datasets` has"
    ):
        read(tmp_path)


def test_a_folder_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^data\.path = .*set: .*; name a folder that `save_to_disk` of `datasets` has"
    ):
        read(tmp_path)


def test_images_are_read_with_the_channels_that_are_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "set")
    assert read(tmp_path, {"channels": 1}).images([0]).shape == (1, 1, HEIGHT, WIDTH)
