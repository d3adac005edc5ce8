"""Laws of the demo grids: four scenes of four classes, one of which is the label and the mask."""

import numpy as np
import pytest
import torch

from pipeline.demo import networks
from pipeline.demo.grids import CELLS, Grid, grid
from pipeline.demo.shapes import CLASSES, SIZE, TEST_SEED, TRAIN_SEED, Picture, scene
from srd.registry import METRICS

N = 36
CORNERS = ((0, 0), (0, SIZE), (SIZE, 0), (SIZE, SIZE))


@pytest.fixture(scope="module")
def drawn() -> list[Grid]:
    return [grid(TEST_SEED, index) for index in range(N)]


def cell(picture: Picture, number: int) -> Picture:
    top, left = CORNERS[number]
    return picture[:, top : top + SIZE, left : left + SIZE]


def test_a_grid_follows_from_seed_and_index_alone(drawn: list[Grid]) -> None:
    for index in (0, 7, 35):
        again = grid(TEST_SEED, index)
        assert (again.image.tobytes(), again.classes, again.cell) == (
            drawn[index].image.tobytes(), drawn[index].classes, drawn[index].cell
        )  # fmt: skip
    assert grid(TRAIN_SEED, 0).image.tobytes() != drawn[0].image.tobytes()


def test_the_cells_are_scenes_of_four_classes_at_their_own_size(drawn: list[Grid]) -> None:
    seen = set()
    for index, each in enumerate(drawn):
        assert each.image.shape == (3, 2 * SIZE, 2 * SIZE)
        assert each.image.dtype == np.float32
        assert len(set(each.classes)) == CELLS == len(each.classes)
        for number, label in enumerate(each.classes):
            expected = scene(TEST_SEED, (CELLS * index + number) * len(CLASSES) + label)
            assert expected.label == label
            assert (cell(each.image, number) == expected.image).all()
            seen.add(expected.image.tobytes())
    assert len(seen) == CELLS * N


def test_the_mask_is_the_quarter_of_the_label(drawn: list[Grid]) -> None:
    for index, each in enumerate(drawn):
        assert each.label == index % len(CLASSES) == each.classes[each.cell]
        assert each.mask.shape == (2 * SIZE, 2 * SIZE)
        assert each.mask.mean() == 1 / CELLS
        assert cell(each.mask[None], each.cell).all()


def test_every_cell_and_every_neighbour_of_a_label_is_drawn(drawn: list[Grid]) -> None:
    assert {each.cell for each in drawn} == set(range(CELLS))
    beside = {(each.label, other) for each in drawn for other in each.classes} - {(c, c) for c in range(len(CLASSES))}
    assert len(beside) == len(CLASSES) * (len(CLASSES) - 1)


def test_localisation_is_1_in_the_cell_0_beside_it_and_a_quarter_everywhere(drawn: list[Grid]) -> None:
    masks = torch.from_numpy(np.stack([each.mask for each in drawn]))
    localisation = METRICS["attribution_localisation"]
    assert (localisation(masks.float(), masks) == 1).all()
    assert (localisation((~masks).float(), masks) == 0).all()
    torch.testing.assert_close(
        localisation(torch.full_like(masks, 3, dtype=torch.float32), masks), torch.full((N,), 0.25)
    )
    inside = torch.where(masks, 5.0, 1.0)  # 5 of 8 parts
    torch.testing.assert_close(localisation(inside, masks), torch.full((N,), 0.625))


def test_the_demo_network_answers_with_the_four_classes(drawn: list[Grid]) -> None:
    images = torch.from_numpy(np.stack([each.image for each in drawn]))
    with torch.no_grad():
        highest = networks.load("resnet")(networks.normalise(images)).topk(CELLS, 1).indices
    found = [set(each.classes) & set(answer) for each, answer in zip(drawn, highest.tolist(), strict=True)]
    assert np.mean([len(each) / CELLS for each in found]) > 0.95  # by chance 0.67
