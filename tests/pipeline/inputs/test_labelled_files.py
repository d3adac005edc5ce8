"""A CSV file says which images, labels and masks there are; nothing that it lists is dropped or misplaced."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numbered_images import load, numbers_of, object_of, write_numbered, write_object

from pipeline.inputs.data import n_images
from pipeline.spec.data import DataSpec
from srd.errors import DataError

LABELS = {"b/3.png": "cat", "1.png": "ant", "0.png": "bee", "a/2.png": "ant"}
NUMBERS = {"b/3.png": 3, "1.png": 1, "0.png": 0, "a/2.png": 2}


def write_csv(file: Path, lines: list[str], header: str = "file,label") -> None:
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name, number in NUMBERS.items():
        write_numbered(tmp_path / "images" / name, number)
        write_object((tmp_path / "masks" / name), number)
    write_csv(tmp_path / "images/list.csv", [f"{name},{label}" for name, label in LABELS.items()])
    write_csv(tmp_path / "labels.csv", [f"{name},{label}" for name, label in LABELS.items()])
    return tmp_path


WAYS: dict[str, dict[str, Any]] = {
    "csv": {"path": "images/list.csv"},
    "folder": {"path": "images", "labels": "labels.csv"},
}


@pytest.mark.parametrize("way", WAYS)
def test_each_image_has_its_label(base: Path, way: str) -> None:
    data = load(base, **WAYS[way])
    assert data.classes == ("ant", "bee", "cat")
    assert numbers_of(data.images(range(4))) == [NUMBERS[name] for name in data.ids]
    assert [data.classes[label] for label in data.labels] == [LABELS[name] for name in data.ids]
    assert not data.has_masks
    assert n_images(DataSpec(**WAYS[way]), base) == 4


@pytest.mark.parametrize("way", WAYS)
def test_masks_may_be_a_folder(base: Path, way: str) -> None:
    data = load(base, masks="masks", **WAYS[way])
    for row, name in enumerate(data.ids):
        assert (data.masks([row])[0].numpy() == object_of(NUMBERS[name])).all()


@pytest.mark.parametrize("masks", [None, "masks"])
def test_masks_may_be_a_column(base: Path, masks: str | None) -> None:
    up = "" if masks else "../masks/"
    lines = [f"{name},{label},{up}{name}" for name, label in LABELS.items() if name != "1.png"]
    write_csv(base / "images/list.csv", [*lines, "1.png,ant,"], "file,label,mask")
    data = load(base, path="images/list.csv", masks=masks)
    assert data.has_masks
    for row, name in enumerate(data.ids):
        if name == "1.png":
            assert not data.masks([row]).any()
            assert data.ignored_pixels([row]).all()
        else:
            assert (data.masks([row])[0].numpy() == object_of(NUMBERS[name])).all()
            assert not data.ignored_pixels([row]).any()
    assert data.notes == ("1.png: no mask says where the object is",)


def test_images_that_are_not_listed_are_counted(base: Path) -> None:
    write_csv(base / "labels.csv", ["1.png,ant", "0.png,bee"])
    data = load(base, path="images", labels="labels.csv")
    assert data.ids == ("0.png", "1.png")
    assert data.notes == ("2 images below images are not in labels.csv: not read",)
    assert data.description == "2 images of 2 lines of labels.csv, 2 files left out"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["2", "0", "1", "0"], ["2", "0", "1", "0"]),
        (["n3", "n1", "n2", "n1"], ["cat", "ant", "bee", "ant"]),
        (["cat", "ant", "2", "0"], ["cat", "ant", "cat", "ant"]),
    ],
)
def test_labels_are_names_titles_or_numbers(base: Path, labels: list[str], expected: list[str]) -> None:
    write_csv(base / "labels.csv", [f"{name},{label}" for name, label in zip(LABELS, labels, strict=True)])
    (base / "classes.json").write_text('[["n1", "ant"], ["n2", "bee"], ["n3", "cat"]]', encoding="utf-8")
    model = None if labels[0] == "2" else {"classes": "classes.json"}
    data = load(base, model, path="images", labels="labels.csv")
    found = dict(zip(data.ids, (data.classes[label] for label in data.labels), strict=True))
    assert found == dict(zip(LABELS, expected, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        '\ufefffile,label\r\n"b/3.png",cat\r\n1.png , ant\r\n\r\n0.png,bee\r\na/2.png,ant',
        "label,size,file\ncat,9,b/3.png\nant,,1.png\nbee,1,0.png\nant,2,a/2.png\n",
    ],
    ids=["windows", "other columns"],
)
def test_usual_forms_of_csv_are_read(base: Path, text: str) -> None:
    (base / "labels.csv").write_text(text, encoding="utf-8")
    data = load(base, path="images", labels="labels.csv")
    assert dict(zip(data.ids, (data.classes[label] for label in data.labels), strict=True)) == LABELS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line has 0 columns 'file'; begin with file,label"),
        ("name,label\n0.png,ant\n", "its first line has 0 columns 'file'; .* known: name, label"),
        ("file,label,label\n0.png,ant,bee\n", "its first line has 2 columns 'label'"),
        ("file,label\n", "lists no image; write a line of file,label for each"),
        ("file,label\n0.png\n", "line 2: has 1 values, the first line 2; correct it"),
        ("file,label\n0.png,\n", "line 2: label is empty in .*; fill it in, or remove the line"),
        ("file,label\n0.png,ant\n,bee\n", "line 3: file is empty in .*; fill it in, or remove the line"),
        ("file,label\n0.png,ant\n0.png,bee\n", "line 3: '0.png' stands in line 2 as well; remove one of the two"),
        ("file,label\n9.png,ant\n", "line 2: .*9.png is missing; correct or remove the line; relative paths start"),
        ("file,label,mask\n0.png,ant,9.png\n", "line 2: .*9.png is missing; correct the line, or leave its mask empty"),
        ('file,label\n"0.png,ant\n', "Error: unexpected end of data; write lines of file,label or file,label,mask"),
        ("file,label\n\x00.png,ant\n", r"line 2: .* \(embedded null byte\)|line 2: .*; "),
    ],
)
def test_what_cannot_be_meant_is_refused(base: Path, text: str, message: str) -> None:
    (base / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"(?s)^data\.labels = .*labels\.csv: .*{message}"):
        load(base, path="images", labels="labels.csv")


def test_a_label_that_is_no_class_is_refused_with_its_line(base: Path) -> None:
    (base / "classes.json").write_text('["ant", "bee", "dog"]', encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2: 'cat' is no class of .*classes\.json and no index below 3; "):
        load(base, {"classes": "classes.json"}, path="images", labels="labels.csv")


@pytest.mark.parametrize("path", ["nowhere.csv", "images.csv"])
def test_a_list_that_cannot_be_read_is_refused(base: Path, path: str) -> None:
    (base / "images.csv").mkdir()
    with pytest.raises(DataError, match=rf"^data\.path = .*{path}: .*; relative paths start at the folder of the spec"):
        load(base, path=path)


def test_the_digest_follows_every_part(base: Path) -> None:
    digests = {load(base, path="images/list.csv").digest, load(base, masks="masks", path="images/list.csv").digest}
    write_numbered(base / "images/1.png", 9)
    digests.add(load(base, path="images/list.csv").digest)
    write_csv(base / "images/list.csv", [f"{name},ant" for name in LABELS])
    digests.add(load(base, path="images/list.csv").digest)
    digests.add(load(base, {"channels": 1}, path="images/list.csv").digest)
    assert len(digests) == 5


def test_masks_of_other_images_change_the_digest(base: Path) -> None:
    before = load(base, masks="masks", path="images/list.csv").digest
    write_object(base / "masks/1.png", 9)
    after = load(base, masks="masks", path="images/list.csv")
    assert before != after.digest
    assert np.array_equal(after.masks([after.ids.index("1.png")])[0].numpy(), object_of(9))
