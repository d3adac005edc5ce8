"""The choice of images: by classes in turn, in their shares, or at random, always the same by one seed."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from numbered_images import load, numbers_of, write_numbered

from pipeline.inputs.data import Data
from srd.errors import DataError

SIZES = {"ant": 12, "bee": 5, "cat": 1, "dog": 2}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    numbers = iter(range(sum(SIZES.values())))
    for name, n in SIZES.items():
        for index in range(n):
            write_numbered(tmp_path / "images" / name / f"{index:02d}.png", next(numbers))
    return tmp_path


def chosen(base: Path, n: int | None = None, **options: Any) -> Data:
    return load(base, path="images", n=n, **options)


def counts(data: Data) -> dict[str, int]:
    return dict(Counter(Path(name).parts[0] for name in data.ids))


def highest_averages(n: int) -> dict[str, int]:
    """Return the seats that Sainte-Lague's rule gives, one after another; equals go to the first party."""
    seats = dict.fromkeys(SIZES, 0)
    for _ in range(n):
        winner = max(SIZES, key=lambda name: Fraction(SIZES[name], 2 * seats[name] + 1))
        seats[winner] += 1
    return {name: count for name, count in seats.items() if count}


@pytest.mark.parametrize("n", [1, 4, 7, 10, 19, 20])
def test_a_stratified_choice_keeps_the_shares_of_the_classes(base: Path, n: int) -> None:
    for seed in (None, 0, 5):
        assert counts(chosen(base, n, sample="stratified", seed=seed)) == highest_averages(n)


@pytest.mark.parametrize("n", [1, 4, 7, 10, 19, 20])
def test_a_balanced_choice_takes_the_classes_in_turn(base: Path, n: int) -> None:
    for seed in (None, 0, 5):
        found = counts(chosen(base, n, seed=seed))
        full = [count for name, count in found.items() if count < SIZES[name]]
        assert not full or max(found.values()) - min(full) <= 1
        assert sum(found.values()) == n


@pytest.mark.parametrize("sample", ["balanced", "stratified", "random"])
def test_a_seed_says_which_images(base: Path, sample: str) -> None:
    first = [chosen(base, 6, sample=sample, seed=seed).ids for seed in (0, 0, 1, 2, 3)]
    assert first[0] == first[1]
    assert len(set(first)) > 2


@pytest.mark.parametrize("sample", ["balanced", "stratified", "random"])
def test_a_larger_choice_holds_the_smaller_one(base: Path, sample: str) -> None:
    choices = [set(chosen(base, n, sample=sample, seed=4).ids) for n in range(1, 21)]
    assert all(smaller < larger for smaller, larger in pairwise(choices))


def test_each_image_is_equally_likely_at_random(base: Path) -> None:
    found: Counter[str] = Counter()
    for seed in range(200):
        found.update(chosen(base, 5, sample="random", seed=seed).ids)
    assert len(found) == 20
    assert all(25 <= count <= 80 for count in found.values())  # 50 are expected, +- 6


@pytest.mark.parametrize("sample", ["balanced", "stratified", "random"])
def test_whatever_the_choice_images_keep_their_names_and_labels(base: Path, sample: str) -> None:
    numbers = dict(zip(chosen(base).ids, range(20), strict=True))
    data = chosen(base, 9, sample=sample, seed=1)
    assert numbers_of(data.images(range(9))) == [numbers[name] for name in data.ids]
    assert [list(SIZES)[label] for label in data.labels] == [Path(name).parts[0] for name in data.ids]
    assert list(data.ids) == sorted(data.ids)
    assert data.description == "9 of 20 images of 4 folders"


def test_few_images_are_not_always_of_the_first_classes(base: Path) -> None:
    found = {tuple(counts(chosen(base, 2, seed=seed))) for seed in range(30)}
    assert len(found) == 6


def test_without_a_seed_a_balanced_choice_takes_the_first_by_name(base: Path) -> None:
    assert chosen(base, 5).ids == ("ant/00.png", "ant/01.png", "bee/00.png", "cat/00.png", "dog/00.png")


def test_more_than_there_are_cannot_be_chosen(base: Path) -> None:
    for sample in ("balanced", "stratified", "random"):
        with pytest.raises(
            DataError, match=r"data\.n = 21: images holds only 20 images; ask for fewer, or leave n out"
        ):
            chosen(base, 21, sample=sample)
