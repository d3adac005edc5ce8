"""Arrays of any channels and range are read row by row: each image with its own label, mask and pixels to ignore."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from numbered_images import HEIGHT, WIDTH, load, numbered, object_of
from numpy.typing import NDArray

from pipeline.inputs.data import n_images
from pipeline.spec.data import DataSpec
from srd.errors import DataError

N = 6
LABELS = np.array([2, 0, 1, 1, 0, 2])
IMAGES = np.stack([numbered(number) for number in range(N)])
MASKS = np.stack([object_of(number) for number in range(N)])
IGNORED = np.stack([object_of(90 + number) for number in range(N)])
Save = Any


def save_npz(base: Path, **arrays: NDArray[Any]) -> str:
    np.savez_compressed(base / "set.npz", **arrays)  # type: ignore[arg-type]
    return "set.npz"


def save_zarr(base: Path, **arrays: NDArray[Any]) -> str:
    group = zarr.open_group(base / "set.zarr", mode="w")
    for name, values in arrays.items():
        group.create_array(name, data=values)
    return "set.zarr"


def read_npy(base: Path, **arrays: NDArray[Any]) -> dict[str, Any]:
    for name, values in arrays.items():
        np.save(base / f"{name}.npy", values)
    return {"path": "images.npy", "labels": "labels.npy"} | ({"masks": "masks.npy"} if "masks" in arrays else {})


BUNDLES: dict[str, Save] = {"npz": save_npz, "zarr": save_zarr}
every_bundle = pytest.mark.parametrize("save", BUNDLES.values(), ids=BUNDLES)


def expected(images: NDArray[Any], white: float = 255) -> torch.Tensor:
    return torch.from_numpy((images.astype(np.float64) / white).astype(np.float32).transpose(0, 3, 1, 2).copy())


@every_bundle
def test_each_row_has_its_label_mask_and_ignored_pixels(tmp_path: Path, save: Save) -> None:
    path = save(tmp_path, images=IMAGES, labels=LABELS, masks=MASKS, ignored=IGNORED)
    data = load(tmp_path, path=path)
    assert data.ids == tuple(f"{row:06d}" for row in range(N))
    assert data.labels == tuple(LABELS.tolist())
    assert data.classes == ("0", "1", "2")
    assert torch.equal(data.images(range(N)), torch.from_numpy(IMAGES.astype(np.float32) / 255).permute(0, 3, 1, 2))
    assert (data.masks(range(N)).numpy() == (MASKS & ~IGNORED)).all()
    assert (data.ignored_pixels(range(N)).numpy() == IGNORED).all()
    assert data.description == f"6 images of 6 rows of {path}"
    assert n_images(DataSpec(path=path, n=2), tmp_path) == 2


def test_arrays_may_be_files_of_their_own(tmp_path: Path) -> None:
    data = load(tmp_path, **read_npy(tmp_path, images=IMAGES, labels=LABELS[:, None], masks=MASKS[..., None] * 7))
    assert torch.equal(data.images([4, 1]), expected(IMAGES[[4, 1]]))
    assert data.labels == tuple(LABELS.tolist())
    assert (data.masks(range(N)).numpy() == MASKS).all()
    assert not data.ignored_pixels(range(N)).any()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@every_bundle
def test_any_number_of_channels_in_either_layout(tmp_path: Path, save: Save, layout: str, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (N, HEIGHT, WIDTH, channels), np.uint8)
    stored = images if layout == "nhwc" else images.transpose(0, 3, 1, 2)
    is_clear = channels in {1, 3, 4}
    path = save(tmp_path, images=stored, labels=LABELS)
    data = load(tmp_path, path=path, layout=None if is_clear else layout)
    assert torch.equal(data.images(range(N)), expected(images))


def test_an_axis_of_channels_is_not_guessed(tmp_path: Path) -> None:
    for shape in ((N, 3, 12, 3), (N, 5, 6, 7), (N, 3, 3, 3)):
        np.save(tmp_path / "images.npy", np.zeros(shape, np.uint8))
        np.save(tmp_path / "labels.npy", LABELS)
        with pytest.raises(DataError, match=r"which does not tell the axis of channels; set data\.layout to 'nhwc' or"):
            load(tmp_path, path="images.npy", labels="labels.npy")


def test_grey_images_need_no_axis_of_channels(tmp_path: Path) -> None:
    data = load(tmp_path, **read_npy(tmp_path, images=IMAGES[..., 0], labels=LABELS))
    assert data.images([0]).shape == (1, 1, HEIGHT, WIDTH)
    assert torch.equal(data.images(range(N)), expected(IMAGES[..., :1]))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("<u2", 0, 10_000),
        (">i2", -500, 500),
        ("<f4", -1, 1),
        ("<f8", 0, 255),
        ("<f2", 0, 2),
        ("<i4", 0, 4095),
        ("<u1", 10, 200),
    ],
)
def test_a_range_says_what_is_black_and_white(tmp_path: Path, dtype: str, low: float, high: float) -> None:
    draw = np.random.default_rng(0)
    values = draw.uniform(low, high, (N, HEIGHT, WIDTH, 5)).astype(dtype)
    values[:, 0, 0, 0], values[:, 0, 1, 0] = low, high
    path = save_npz(tmp_path, images=values, labels=LABELS)
    images = load(tmp_path, path=path, layout="nhwc", range=(low, high)).images(range(N))
    assert (images[:, 0, 0, 0] == 0).all()
    assert (images[:, 0, 0, 1] == 1).all()
    wanted = torch.from_numpy((values.astype(np.float64) - low) / (high - low)).permute(0, 3, 1, 2)
    assert (images - wanted).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("values", "keys", "message"),
    [
        (np.uint16(7), {}, "images are uint16, of which nobody says what is white; set data.range, such as"),
        (np.int64(7), {}, "images are int64, of which nobody says what is white"),
        (np.float32(1.5), {}, r"image 0: has values from 1.5 to 1.5, which are not within \[0, 1\]; set data.range"),
        (np.float32(np.nan), {}, r"image 0: has values from nan to nan"),
        (np.uint16(7), {"range": (8, 9)}, r"has values from 7 to 7, which are not within \[8, 9\]"),
        (np.complex64(1), {"range": (0, 1)}, "images are complex64; store plain numbers"),
    ],
)
def test_values_of_no_known_range_are_refused(tmp_path: Path, values: Any, keys: dict[str, Any], message: str) -> None:
    path = save_npz(tmp_path, images=np.full((N, 8, 9, 3), values), labels=LABELS)
    with pytest.raises(DataError, match=message):
        load(tmp_path, path=path, **keys)


SPLITS: dict[str, tuple[Save, str, dict[str, NDArray[Any]]]] = {
    "medmnist": (save_npz, "test", {"train_images": IMAGES[:0], "train_labels": LABELS[:0], "test_images": IMAGES,
                                    "test_labels": LABELS[:, None]}),
    "keras": (save_npz, "test", {"x_train": IMAGES[:0], "y_train": LABELS[:0], "x_test": IMAGES, "y_test": LABELS}),
    "groups": (save_zarr, "val", {"train/images": IMAGES[:1], "train/labels": LABELS[:1], "val/images": IMAGES,
                                  "val/labels": LABELS}),
}  # fmt: skip


@pytest.mark.parametrize("form", SPLITS)
def test_splits_are_found_by_the_names_that_people_use(tmp_path: Path, form: str) -> None:
    save, split, arrays = SPLITS[form]
    path = save(tmp_path, **arrays)
    data = load(tmp_path, path=path, split=split)
    assert data.labels == tuple(LABELS.tolist())
    assert torch.equal(data.images(range(N)), expected(IMAGES))
    with pytest.raises(DataError, match=r"holds no array of images, but .*; call it 'images', or set data\.split"):
        load(tmp_path, path=path)
    with pytest.raises(DataError, match=r"holds no array of images of the split 'dev', but"):
        load(tmp_path, path=path, split="dev")


def test_labels_may_be_names(tmp_path: Path) -> None:
    names = np.array(["cat", "ant", "bee", "bee", "ant", "cat"])
    (tmp_path / "classes.json").write_text('["bee", "cat", "ant", "dog"]', encoding="utf-8")
    path = save_npz(tmp_path, images=IMAGES, labels=names)
    assert load(tmp_path, path=path).labels == (2, 0, 1, 1, 0, 2)
    assert load(tmp_path, {"classes": "classes.json"}, path=path).labels == (1, 2, 0, 0, 2, 1)
    (tmp_path / "classes.json").write_text('["bee", "ant"]', encoding="utf-8")
    with pytest.raises(DataError, match="label of row 0: 'cat' is no class of"):
        load(tmp_path, {"classes": "classes.json"}, path=path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "holds no labels; call an array 'labels', or set data.labels"),
        ({"images": IMAGES, "labels": LABELS[:3]}, r"has 6 images, but labels of the shape \(3,\); store as many rows"),
        ({"images": IMAGES, "labels": LABELS, "masks": MASKS[:2]}, "has 6 images, but masks of the shape"),
        ({"images": IMAGES, "labels": LABELS, "masks": IMAGES}, "masks have the shape .*; store them as"),
        (
            {"images": IMAGES, "labels": LABELS, "masks": MASKS, "ignored": MASKS[:, :2]},
            "ignored pixels have the shape",
        ),
        ({"images": IMAGES, "labels": LABELS, "ignored": MASKS}, "ignored pixels have the shape .*, masks None"),
        ({"images": IMAGES, "labels": LABELS, "masks": MASKS[:, :, 1:]}, "a mask must have the size of its image"),
        ({"images": IMAGES, "labels": LABELS * 0.5}, "labels are float64 .*; store one whole number or name for each"),
        (
            {"images": IMAGES, "labels": np.eye(6, dtype=int)},
            "labels are int64 of the shape .*; store one whole number",
        ),
        ({"images": IMAGES, "labels": LABELS - 1}, "a label is -1; leave out what has no class"),
        ({"images": LABELS, "labels": LABELS}, r"images have the shape \(6,\); store them as"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "has 0 images"),
        ({"a": IMAGES, "b": LABELS}, "holds no array of images, but a, b; call it 'images'"),
    ],
)
@every_bundle
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, save: Save, arrays: dict[str, Any], message: str) -> None:
    if save is save_zarr and not all(values.size for values in arrays.values()):
        pytest.skip("zarr stores no empty array")
    path = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=rf"(?s)set\..*{message}"):
        load(tmp_path, path=path)


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    for name, values in (("images", np.array([{}], object)), ("labels", LABELS)):
        np.save(tmp_path / f"{name}.npy", values, allow_pickle=True)
    np.savez(tmp_path / "set.npz", images=np.array([{}], object), labels=LABELS, allow_pickle=True)
    ways: list[dict[str, Any]] = [{"path": "images.npy", "labels": "labels.npy"}, {"path": "set.npz"}]
    for keys in ways:
        with pytest.raises(
            DataError, match=r"(pickle|Python objects in dtype).*; store plain numbers, without Python objects"
        ):
            load(tmp_path, **keys)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"text"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.zarr", "x.zarr/zarr.json"])
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"^data\.path = .*x\.\w+: .*; "):
        load(tmp_path, path=name.partition("/")[0], labels="x.npy")


@pytest.mark.parametrize("name", ["nowhere.npy", "nowhere.npz", "nowhere.zarr"])
def test_missing_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"^data\.path = .*{name}: is missing; relative paths start at"):
        load(tmp_path, path=name)
    np.save(tmp_path / "images.npy", IMAGES)
    for key in ("labels", "masks"):
        np.save(tmp_path / "labels.npy", LABELS)
        given: dict[str, Any] = {"path": "images.npy", "labels": "labels.npy", key: name}
        with pytest.raises(DataError, match=rf"^data\.{key} = .*{name}: is missing"):
            load(tmp_path, **given)


def test_the_digest_follows_every_array_and_how_it_is_read(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"images": IMAGES, "labels": LABELS, "masks": MASKS, "ignored": IGNORED}
    changes = [
        {},
        {"images": IMAGES[::-1]},
        {"labels": LABELS[[1, 0, 2, 3, 4, 5]]},
        {"masks": ~MASKS},
        {"ignored": ~IGNORED},
    ]
    digests = [load(tmp_path, path=save_npz(tmp_path, **(arrays | change))).digest for change in changes]
    digests.append(load(tmp_path, path=save_npz(tmp_path, **arrays), range=(0, 256)).digest)
    assert len(set(digests)) == len(digests)
