"""Laws of the demo scenes: they are what (seed, index) says, and the masks are exact."""

import subprocess
import sys

import numpy as np
import pytest

from pipeline.demo.shapes import CLASSES, SHAPES, SIZE, TEST_SEED, TRAIN_SEED, Mask, Picture, Scene, scene

N = 60


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene(TEST_SEED, index) for index in range(N)]


def changed(one: Picture, other: Picture) -> Mask:
    return np.asarray((one != other).any(axis=0))


def test_a_scene_follows_from_seed_and_index_alone(scenes: list[Scene]) -> None:
    np.random.seed(0)
    following = np.random.random()
    np.random.seed(0)
    for first in scenes[::7]:
        second = scene(first.seed, first.index)
        assert first.image.tobytes() == second.image.tobytes()
        assert all((getattr(first, mask) == getattr(second, mask)).all() for mask in ("core", "full", "all_objects"))
    assert np.random.random() == following


def test_another_process_draws_the_same_bytes_without_torch(scenes: list[Scene]) -> None:
    draw = f"picture = scene({TEST_SEED}, 5).image.tobytes()"
    write = "sys.exit('torch was imported') if 'torch' in sys.modules else sys.stdout.buffer.write(picture)"
    code = f"import sys; from pipeline.demo.shapes import scene; {draw}; {write}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout == scenes[5].image.tobytes()


def test_indices_and_seeds_give_different_pictures(scenes: list[Scene]) -> None:
    training = [scene(TRAIN_SEED, index) for index in range(N)]
    assert TRAIN_SEED != TEST_SEED
    assert len({each.image.tobytes() for each in [*scenes, *training]}) == 2 * N


def test_labels_are_balanced_by_index(scenes: list[Scene]) -> None:
    assert len(CLASSES) == 6
    assert np.bincount([each.label for each in scenes]).tolist() == [N // 6] * 6


def test_shapes_and_types(scenes: list[Scene]) -> None:
    for each in scenes:
        for picture in (each.image, each.without_target(), each.without_distractors(), each.background()):
            assert picture.shape == (3, SIZE, SIZE)
            assert picture.dtype == np.float32
        for mask in (each.core, each.full, each.all_objects):
            assert mask.shape == (SIZE, SIZE)
            assert mask.dtype == np.bool_


def test_every_value_is_one_of_eight_bits(scenes: list[Scene]) -> None:
    levels = np.arange(256).astype(np.float32) / np.float32(255)
    for each in scenes:
        for picture in (each.image, each.without_target(), each.without_distractors(), each.background()):
            assert np.isin(picture, levels).all()


def test_masks_are_nested_and_no_two_are_equal(scenes: list[Scene]) -> None:
    for each in scenes:
        assert (each.core <= each.full).all()
        assert (each.full <= each.all_objects).all()
        assert 0 < each.core.sum() < each.full.sum() < each.all_objects.sum() < SIZE * SIZE


def test_the_target_lies_wholly_inside_the_picture(scenes: list[Scene]) -> None:
    for each in scenes:
        assert not each.full[[0, -1]].any()
        assert not each.full[:, [0, -1]].any()


def test_removing_the_target_changes_only_full(scenes: list[Scene]) -> None:
    for each in scenes:
        difference = changed(each.image, each.without_target())
        assert (difference <= each.full).all()
        assert difference[each.full].mean() > 0.9


def test_removing_the_distractors_changes_only_what_they_touch(scenes: list[Scene]) -> None:
    for each in scenes:
        difference = changed(each.image, each.without_distractors())
        distractors = each.all_objects & ~each.full
        assert (difference <= distractors).all()
        assert difference[distractors].mean() > 0.7


def test_the_background_is_what_both_removals_leave(scenes: list[Scene]) -> None:
    for each in scenes:
        expected = np.where(each.full, each.without_distractors(), each.without_target())
        assert (each.image == expected).all()
        expected = np.where(each.full, each.without_target(), each.without_distractors())
        assert (each.background() == expected).all()


def test_the_class_changes_nothing_but_the_outline(monkeypatch: pytest.MonkeyPatch) -> None:
    rotated = (*CLASSES[1:], CLASSES[0])
    before = [scene(TEST_SEED, index) for index in range(12)]
    rest = [each.without_target() for each in before]
    monkeypatch.setattr("pipeline.demo.shapes.CLASSES", rotated)
    for index, (one, without) in enumerate(zip(before, rest, strict=True)):
        other = scene(TEST_SEED, index)
        assert (other.full != one.full).any()
        assert (other.without_target() == without).all()
        assert (changed(one.image, other.image) <= one.full | other.full).all()


def test_an_outline_is_a_distance_inside_a_disc_of_its_size() -> None:
    steps = np.linspace(-20, 20, 401)
    plane = steps[:, None] + 1j * steps
    for name, distance in SHAPES.items():
        field = distance(plane, 12.0)
        assert np.abs(plane[field < 0]).max() <= 12.0 + 1e-9, name
        assert max(np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)) <= 0.1 + 1e-9, name


def test_a_negative_index_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        scene(TEST_SEED, -1)
