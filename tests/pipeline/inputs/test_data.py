"""Laws of an image folder: which images, in which order, of which class, and that nothing changes unseen."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_audits import write_picture, write_png

from pipeline.demo import grids, shapes
from pipeline.inputs.data import DEMO_IMAGES, Data, load_data, n_images, open_data
from pipeline.inputs.image_files import UPRIGHT
from pipeline.machine.files import TEXT
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec
from srd.errors import DataError

DEMO = ModelSpec(spec="demo:vgg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images of ants, one of a bee, two of cats."""
    for name, n in (("ant", 3), ("bee", 1), ("cat", 2)):
        for number in range(n):
            write_picture(tmp_path, number % 3, f"{name}/{number}.png")
    return tmp_path / "images"


def folder(root: Path, n: int | None = None, classes: Path | None = None, **options: Any) -> Data:
    return load_data(*specs(root, n, classes, **options), Path())


def specs(
    root: Path, n: int | None = None, classes: Path | None = None, resize: Any = None, masks: Path | None = None
) -> tuple[DataSpec, ModelSpec]:
    data = DataSpec(path=str(root), n=n, masks=None if masks is None else str(masks))
    return data, ModelSpec(spec="network.py:build", classes=None if classes is None else str(classes), resize=resize)


def refused_classes(root: Path, file: Path, content: bytes) -> str:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        folder(root, classes=file)
    message = str(caught.value)
    assert message.startswith(f"model.classes = {file}: ")
    return message


def test_images_stand_in_the_order_of_their_names(root: Path) -> None:
    data = folder(root)
    assert data.ids == ("ant/0.png", "ant/1.png", "ant/2.png", "bee/0.png", "cat/0.png", "cat/1.png")
    assert data.classes == ("ant", "bee", "cat")
    assert data.labels == (0, 0, 0, 1, 2, 2)


@pytest.mark.parametrize(
    ("n", "chosen"),
    [
        (1, "ant/0"),
        (3, "ant/0 bee/0 cat/0"),
        (4, "ant/0 ant/1 bee/0 cat/0"),
        (6, "ant/0 ant/1 ant/2 bee/0 cat/0 cat/1"),
    ],
)
def test_n_takes_one_of_each_class_in_turn(root: Path, n: int, chosen: str) -> None:
    assert folder(root, n).ids == tuple(f"{name}.png" for name in chosen.split())


@pytest.mark.parametrize("n", [None, 1, 4, 6])
def test_images_are_counted_without_opening_one(root: Path, n: int | None) -> None:
    asked = DataSpec(path="images", n=n)
    opened = len(load_data(asked, ModelSpec(spec="network.py:build"), root.parent).ids)
    for image in root.rglob("*.png"):
        image.write_bytes(b"no picture")
    assert n_images(asked, root.parent) == opened


def test_what_cannot_be_counted_is_refused_as_when_it_is_loaded(root: Path) -> None:
    for asked in (DataSpec(path="images", n=7), DataSpec(path="nowhere")):
        with pytest.raises(DataError) as loading:
            load_data(asked, ModelSpec(spec="network.py:build"), root.parent)
        with pytest.raises(DataError) as counting:
            n_images(asked, root.parent)
        assert str(counting.value) == str(loading.value)


def test_scenes_are_counted_as_they_are_made() -> None:
    for n in (None, 3):
        asked = DataSpec(path="demo:shapes", n=n)
        assert n_images(asked, Path()) == len(load_data(asked, DEMO, Path()).ids)


@pytest.mark.parametrize(
    ("name", "text", "titles", "labels"),
    [
        ("classes.json", '["cat", "dog", "bee", "ant"]', "cat dog bee ant", (3, 3, 3, 2, 0, 0)),
        ("classes.json", '[["cat", "Tabby"], ["bee", "Bee"], ["ant", "Ant"]]', "Tabby Bee Ant", (2, 2, 2, 1, 0, 0)),
        ("classes.txt", "cat\nbee \n\nant\n", "cat bee ant", (2, 2, 2, 1, 0, 0)),
    ],
)
def test_a_class_file_gives_the_order(
    root: Path, tmp_path: Path, name: str, text: str, titles: str, labels: tuple[int, ...]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    data = folder(root, classes=tmp_path / name)
    assert data.classes == tuple(titles.split())
    assert data.labels == labels


@pytest.mark.parametrize("text", ["{}", "[1]", "[[]]", '[["ant"]]', "not json", '["ant", "ant", "bee", "cat"]', "null"])
def test_a_class_file_that_gives_no_order_is_refused(root: Path, tmp_path: Path, text: str) -> None:
    assert refused_classes(root, tmp_path / "classes.json", text.encode())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "RecursionError"),
        (b'[{"a":' * 50_000, "RecursionError"),
        (b"[" + b"1" * 5000 + b"]", "ValueError"),
        (b'["\xff"]', "line 1 is not UTF-8 text (byte 0xff); save it as UTF-8"),
        ('["ant"]'.encode("utf-16"), "as UTF-8"),
        (b"", "JSONDecodeError"),
        (b"[NaN, Infinity]", "expected a list of names"),
        (b'["ant", "bee", "cat", ""]', "'' is empty or cannot be printed"),
        (b'["ant", "bee", "cat", "a\\u0000b"]', "'a\\x00b' is empty or cannot be printed"),
        (b'["ant", "bee", "cat", "\\ud800"]', "'\\ud800' is empty or cannot be printed"),
        (b'[["ant", "\\u001b[31m"], ["bee", "b"], ["cat", "c"]]', "cannot be printed; rename it"),
        (b'[["ant", "two\\nlines"], ["bee", "b"], ["cat", "c"]]', "cannot be printed; rename it"),
    ],
    ids="deep deeper digits latin utf-16 empty nan no-name zero surrogate escape lines".split(),
)
def test_a_class_file_that_breaks_a_parser_or_a_page_is_refused(
    root: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    refusal = refused_classes(root, tmp_path / "classes.json", content)
    assert message in refusal
    assert len(refusal) < 1000


def test_a_text_of_classes_that_cannot_be_printed_is_refused(root: Path, tmp_path: Path) -> None:
    for content in (b"ant\nbee\ncat\n\0\0", b"ant\nbee\ncat\n\x1b[2J", b"ant\nbee\ncat\n" + b"\0" * 10**6):
        refusal = refused_classes(root, tmp_path / "classes.txt", content)
        assert "cannot be printed; rename it" in refusal
        assert len(refusal) < 1000


@pytest.mark.parametrize("name", ["classes.json", "classes.txt"])
def test_a_byte_order_mark_is_no_part_of_a_class(root: Path, tmp_path: Path, name: str) -> None:
    text = '["cat", "bee", "ant"]' if name.endswith("json") else "cat\r\nbee\r\nant\r\n"
    (tmp_path / name).write_bytes(text.encode("utf-8-sig"))
    assert folder(root, classes=tmp_path / name).classes == ("cat", "bee", "ant")


@pytest.mark.parametrize("place", ["pipe", "/dev/zero", "images", "missing", "pipe/below", "x" * 300, "a\0b", "large"])
def test_a_class_list_is_a_file_of_bounded_size(root: Path, tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as sparse:
        sparse.truncate(TEXT + 1)
    with pytest.raises(DataError, match=r"(?s)^model\.classes = .*; relative paths start at"):
        folder(root, classes=tmp_path / place)


@pytest.mark.parametrize("place", ["missing", "pipe", "bee.txt", "x" * 300, "a\0b", "loop"])
def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bee.txt").write_text("bee", encoding="utf-8")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=r"(?s)^data\.path = .*: no such folder \(.*\); relative paths start at"):
        folder(tmp_path / place)


@pytest.mark.parametrize("name", [b"\xff", b"two\nlines", b"\x1b[31m"])
def test_a_folder_that_is_no_name_of_a_class_is_refused(root: Path, name: bytes) -> None:
    (root / os.fsdecode(name)).mkdir()
    with pytest.raises(DataError, match="is not plain UTF-8 text; rename the folder"):
        folder(root, 1)


def blocked(file: Path, kind: str) -> None:
    """Puts something without an end, or without content, in the place of an image."""
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("place", ["images", "masks"])
def test_what_never_ends_is_refused_when_it_is_read_and_when_it_is_digested(
    root: Path, tmp_path: Path, kind: str, place: str
) -> None:
    if (kind, place) == ("folder", "images"):
        pytest.skip("a folder in the place of an image holds other images")
    data = folder(root, masks=tmp_path / "masks")
    blocked(tmp_path / place / "bee/0.png", kind)
    again = open_data(*specs(root, masks=tmp_path / "masks"), Path())
    for read in (again.check, lambda: again.digest, lambda: data.digest):
        with pytest.raises(DataError, match=rf"{place}/bee/0.png: cannot be read as an image: is a folder, a pipe or"):
            read()


@pytest.mark.parametrize("masks", ["x" * 300, "a\0b", "nowhere"])
def test_masks_that_cannot_be_found_are_refused(root: Path, tmp_path: Path, masks: str) -> None:
    with pytest.raises(DataError, match=r"(?s)^data\.masks: .*; "):
        folder(root, masks=tmp_path / masks)


@pytest.mark.parametrize("mode", ["LAB", "I", "F", "I;16"])
@pytest.mark.parametrize("place", ["images", "masks"])
def test_modes_that_are_not_of_eight_bits_are_refused_by_name(
    root: Path, tmp_path: Path, mode: str, place: str
) -> None:
    Image.new(mode, (16, 16)).save(tmp_path / place / "bee/0.png", "TIFF")
    with pytest.raises(
        DataError, match=rf"{place}/bee/0.png: has pixels of mode {mode}, .*; save it as RGB or grey of 8 bits"
    ):
        folder(root, masks=tmp_path / "masks")


def test_an_image_that_grows_without_bound_is_refused_with_its_name(root: Path) -> None:
    Image.new("L", (100_000, 1)).save(root / "bee/0.png")
    with pytest.raises(
        DataError, match=r"bee/0.png: is 100000x1, resized by model.resize = 224 22400000x224, more than"
    ):
        folder(root, resize=224)


def test_pixels_are_those_of_the_file_in_0_to_1(root: Path) -> None:
    stored = np.asarray(Image.open(root / "bee/0.png"), np.float32)
    (image,) = folder(root).images([3])
    assert image.dtype == torch.float32
    assert torch.equal(image, torch.from_numpy(stored).permute(2, 0, 1) / 255)


def test_a_grey_image_has_three_equal_channels(root: Path) -> None:
    write_png(root / "bee/0.png", np.arange(256).reshape(16, 16))
    (image,) = folder(root).images([3])
    assert torch.equal(image[0], image[1])
    assert torch.equal(image[0], image[2])


def test_resize_scales_the_shorter_side_and_cuts_the_central_square(tmp_path: Path) -> None:
    wide = np.zeros((10, 30, 3))
    wide[:, 10:20] = 255
    tall = np.zeros((20, 10, 3))
    for name, values in (("wide", wide), ("tall", tall)):
        write_png(tmp_path / "a" / f"{name}.png", values)
    cut = folder(tmp_path, resize=10)
    assert cut.images([0, 1]).shape == (2, 3, 10, 10)
    assert (cut.images([1]) == 1).all()
    smaller = folder(tmp_path, resize=(20, 8))
    assert smaller.images([0, 1]).shape == (2, 3, 8, 8)
    assert (smaller.images([1]) == 1).all()


def test_a_mask_goes_the_way_of_its_image(tmp_path: Path) -> None:
    bright = np.zeros((10, 30))
    bright[:, 10:20] = 255
    write_png(tmp_path / "images/a/0.png", bright)
    write_png(tmp_path / "masks/a/0.png", bright)
    data = folder(tmp_path / "images", resize=(20, 14), masks=tmp_path / "masks")
    assert data.has_masks
    assert data.masks([0]).dtype == torch.bool
    assert torch.equal(data.masks([0])[0], data.images([0])[0, 0] > 0.5)


def test_masks_have_the_size_of_their_images(root: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "masks/bee/0.png", np.ones((8, 8)))
    with pytest.raises(DataError, match=r"masks/bee/0.png: a mask must have the size of its image"):
        folder(root, masks=tmp_path / "masks")


ROTATED = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""How a camera stores what these orientations turn back; the other ways undo themselves."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("is_turned", [False, True], ids=["upright", "turned"])
def test_a_mask_drawn_on_the_upright_photo_fits(tmp_path: Path, orientation: int, is_turned: bool) -> None:
    upright = Image.fromarray(np.pad(np.full((4, 6), 255, np.uint8), ((2, 8), (1, 13))))
    stored, exif = upright.transpose(ROTATED.get(orientation, UPRIGHT[orientation])), Image.Exif()
    exif[0x0112] = orientation
    for kind in ("images", "masks"):
        (tmp_path / kind / "a").mkdir(parents=True)
    stored.save(tmp_path / "images/a/0.png", exif=exif)
    if is_turned:
        stored.save(tmp_path / "masks/a/0.png", exif=exif)
    else:
        upright.save(tmp_path / "masks/a/0.png")
    for resize in (None, (28, 20)):
        data = folder(tmp_path / "images", masks=tmp_path / "masks", resize=resize)
        image, mask = data.images([0])[0, 0] > 0.5, data.masks([0])[0]
        assert mask.any()
        assert (image != mask).float().mean() < (0.05 if resize else 1e-9)


@pytest.mark.parametrize(("width", "height"), [(32, 32), (16, 8), (8, 16)])
def test_masks_are_compared_before_any_resize(root: Path, tmp_path: Path, width: int, height: int) -> None:
    write_png(tmp_path / "masks/bee/0.png", np.ones((height, width)))
    with pytest.raises(DataError, match=rf"it is {width}x{height}, .*bee/0.png is 16x16 when upright; draw it on the"):
        folder(root, masks=tmp_path / "masks", resize=8)


@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_all_that_is_not_black_is_the_object(root: Path, tmp_path: Path, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (16, 16), colour).save(tmp_path / "masks/bee/0.png")
    assert folder(root, masks=tmp_path / "masks").masks([3]).all()


def test_one_changed_byte_changes_the_digest(root: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    before = folder(root, masks=masks).digest
    assert folder(root, masks=masks).digest == before
    for file in (root / "cat/1.png", masks / "cat/1.png"):
        values = np.array(Image.open(file))
        original = file.read_bytes()
        values.flat[0] ^= 1
        write_png(file, values)
        assert folder(root, masks=masks).digest != before
        file.write_bytes(original)
    assert folder(root, masks=masks).digest == before


def test_the_digest_covers_names_labels_choice_and_geometry(root: Path, tmp_path: Path) -> None:
    order = tmp_path / "classes.txt"
    order.write_text("cat\nbee\nant\n", encoding="utf-8")
    digests = [folder(root).digest, folder(root, 3).digest, folder(root, resize=8).digest]
    digests += [folder(root, classes=order).digest, folder(root, masks=tmp_path / "masks").digest]
    (root / "ant/2.png").rename(root / "ant/3.png")
    digests.append(folder(root).digest)
    assert len(set(digests)) == len(digests)


def test_where_the_folder_stands_does_not_matter(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "elsewhere")
    assert folder(tmp_path / "elsewhere").digest == folder(root).digest


def test_what_is_no_image_is_left_alone(root: Path) -> None:
    before = folder(root).ids
    (root / "ant/notes.txt").write_text("not an image", encoding="utf-8")
    (root / ".cache").mkdir()
    (root / "README.md").write_text("not a class", encoding="utf-8")
    assert folder(root).ids == before


def notes(root: Path) -> list[str]:
    return list(folder(root).notes)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ("bee/1.tga bee/2.TGA bee/3.tga bee/4.tga", "4 files in bee/: .tga is not read"),
        ("bee/notes", "1 file in bee/: a name without the suffix of an image is not read"),
        ("bee/a.gif cat/b.gif cat/deep/c.gif", "3 files in bee/, cat/: .gif is not read"),
        ("a.png b.jpg", "2 files in data.path: an image outside of the class folders has no class"),
        ("bee/" + "x." + "y" * 40, "1 file in bee/: a name without the suffix of an image is not read"),
    ],
)
def test_what_is_left_out_is_counted_by_reason(root: Path, files: str, told: str) -> None:
    assert notes(root) == []
    before = folder(root).digest
    for name in files.split():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"")
    assert notes(root) == [told]
    assert folder(root).description == f"6 images of 3 folders, {len(files.split())} files left out"
    assert folder(root).digest == before


def test_many_reasons_and_many_folders_are_told_in_few_words(root: Path) -> None:
    for number in range(100):
        (root / f"ant/data.{number:04d}").write_bytes(b"")
        (root / f"class{number}").mkdir()
        (root / f"class{number}/list.txt").write_bytes(b"")
    told = notes(root)
    assert told[0] == "100 files in class0/, class1/, class10/, class11/ and 96 more: .txt is not read"
    assert told[-1] == "class0/, class1/, class10/, class11/ and 96 more: no image is there"
    assert "89 files with 89 other suffixes: not read" in told
    assert len(told) < 20


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini", "._0.png", ".hidden.png", ".git/x.png"]
)
@pytest.mark.parametrize("place", [".", "bee", "bee/deep"])
def test_hidden_files_and_those_of_systems_are_passed_over(root: Path, place: str, name: str) -> None:
    before = folder(root).ids
    (root / place / name).parent.mkdir(parents=True, exist_ok=True)
    (root / place / name).write_bytes(b"system")
    assert folder(root).ids == before
    assert notes(root) == []


def test_the_folder_of_a_system_is_no_class(root: Path) -> None:
    shutil.copytree(root / "bee", root / "__MACOSX")
    shutil.copytree(root / "bee", root / "bee/__MACOSX")
    assert folder(root).classes == ("ant", "bee", "cat")
    assert folder(root).labels.count(1) == 1
    assert notes(root) == []


def test_a_class_folder_without_images_is_told(root: Path) -> None:
    (root / "dog").mkdir()
    (root / "eel/deep").mkdir(parents=True)
    assert notes(root) == ["dog/, eel/: no image is there"]


@pytest.mark.parametrize("place", ["bee/batch1/x.png", "bee/a/b/c/x.PNG", "bee/0.png.d/x.png"])
def test_images_are_read_at_any_depth(root: Path, tmp_path: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True)
    shutil.copy(root / "cat/0.png", root / place)
    mask = (tmp_path / "masks" / place).with_suffix(".png")
    mask.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "masks/cat/0.png", mask)
    data = folder(root, masks=tmp_path / "masks")
    row = data.ids.index(place)
    assert data.labels[row] == 1
    assert torch.equal(data.images([row]), data.images([data.ids.index("cat/0.png")]))
    assert torch.equal(data.masks([row]), data.masks([data.ids.index("cat/0.png")]))
    assert list(data.ids) == sorted(data.ids, key=lambda name: Path(name).parts)
    assert n_images(DataSpec(path="images"), root.parent) == 7


@pytest.mark.parametrize("target", [".", "..", "../..", "/", "../ant", "deep", "deep/again"])
def test_links_that_loop_or_lead_to_another_class_are_told(root: Path, target: str) -> None:
    (root / "bee/deep").mkdir()
    (root / "bee/deep/again").symlink_to("..")
    before = folder(root).ids
    (root / "bee/link").symlink_to(target)
    assert folder(root).ids == before
    assert notes(root) == ["2 files in bee/: a link to a folder that is read elsewhere"]


def test_a_class_that_is_a_link_to_all_classes_holds_nothing(root: Path) -> None:
    (root / "all").symlink_to(".")
    assert notes(root) == ["1 file in all/: a link to a folder that is read elsewhere", "all/: no image is there"]


def test_links_to_other_folders_are_followed(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "cat", tmp_path / "more")
    (root / "bee/more").symlink_to(tmp_path / "more")
    (root / "eel").symlink_to(shutil.copytree(root / "cat", tmp_path / "eels"))
    assert {"bee/more/0.png", "bee/more/1.png", "eel/0.png", "eel/1.png"} < set(folder(root).ids)
    assert notes(root) == []


def test_an_image_of_which_nothing_is_visible_is_told_once(root: Path) -> None:
    for name in ("bee/0.png", "cat/0.png"):
        Image.new("RGBA", (16, 16), (1, 2, 3, 0)).save(root / name)
    data = folder(root)
    for _ in range(2):
        (told,) = data.notes
        assert told == "bee/0.png and 1 more: alpha is 0 everywhere; the network sees the colours without it"
        data.check()


def test_the_demo_images_are_the_scenes_of_their_index() -> None:
    data = load_data(DataSpec(path="demo:shapes", n=7), DEMO, Path())
    scene = shapes.scene(shapes.TEST_SEED, 6)
    assert (data.images([6])[0].numpy() == scene.image).all()
    assert (data.masks([6])[0].numpy() == scene.full).all()
    assert data.labels == (0, 1, 2, 3, 4, 5, 0)
    assert len(set(data.ids)) == 7
    assert len(load_data(DataSpec(path="demo:shapes"), DEMO, Path()).ids) == DEMO_IMAGES


def test_the_demo_grids_are_those_of_their_index() -> None:
    data = load_data(DataSpec(path="demo:grids", n=8), ModelSpec(spec="demo:resnet"), Path())
    expected = [grids.grid(shapes.TEST_SEED, row) for row in (6, 2)]
    assert (data.images([6, 2]).numpy() == [each.image for each in expected]).all()
    assert (data.masks([6, 2]).numpy() == [each.mask for each in expected]).all()
    assert data.labels == (0, 1, 2, 3, 4, 5, 0, 1)
    assert len(set(data.ids)) == 8
    assert data.digest != load_data(DataSpec(path="demo:grids", n=7), ModelSpec(spec="demo:resnet"), Path()).digest


def test_another_choice_of_demo_images_has_another_digest() -> None:
    six, seven = (load_data(DataSpec(path="demo:shapes", n=n), DEMO, Path()).digest for n in (6, 7))
    assert six != seven


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        (DataSpec(path="demo:shape"), DEMO, "did you mean 'demo:shapes'"),
        (DataSpec(path="demo:grid"), DEMO, "did you mean 'demo:grids'"),
        (
            DataSpec(path="demo:grids"),
            ModelSpec(spec="demo:vgg"),
            "reads 48x48 alone, .* set model.spec = 'demo:resnet'",
        ),
        (DataSpec(path="demo:grids"), ModelSpec(spec="demo:resnet", resize=48), "model.resize = 48"),
        (DataSpec(path="demo:shapes", masks="masks"), DEMO, "data.masks = 'masks'"),
        (DataSpec(path="demo:shapes"), ModelSpec(spec="demo:vgg", resize=48), "model.resize = 48"),
        (DataSpec(path="demo:shapes"), ModelSpec(spec="demo:vgg", classes="c.txt"), "model.classes = 'c.txt'"),
    ],
)
def test_keys_that_the_demo_images_would_ignore_are_refused(data: DataSpec, model: ModelSpec, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(data, model, Path())


@pytest.mark.parametrize("name", [b"\xff.png", b"two\nlines.png"])
def test_names_that_no_store_or_report_can_hold_are_refused(root: Path, name: bytes) -> None:
    shutil.copy(root / "bee" / "0.png", root / "bee" / os.fsdecode(name))
    with pytest.raises(DataError, match="is not plain UTF-8 text; rename the file"):
        folder(root)


def test_more_images_than_there_are_cannot_be_asked_for(root: Path) -> None:
    with pytest.raises(DataError, match=r"data\.n = 7: .* holds only 6 images"):
        folder(root, 7)


def test_images_of_sixteen_bits_are_refused_not_clipped(root: Path) -> None:
    Image.fromarray(np.full((16, 16), 7884, np.uint16)).save(root / "bee/0.png")
    with pytest.raises(DataError, match="8 bits"):
        folder(root)
