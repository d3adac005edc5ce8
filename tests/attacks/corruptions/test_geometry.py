"""Geometric changes, and maps moved back from them."""

import pytest
import torch
from torch import Tensor
from toys import classes, demo_model, generators, uniform

from attacks.entries import PerturbationEntry
from attacks.registry import PERTURBATIONS
from attacks.types import Samples

N = 5
TRIED = {"shift": 0.2, "rotation": 25.0, "zoom": 0.3, "horizontal_flip": 0.0}

every_change = pytest.mark.parametrize("name", TRIED)


def changed(name: str, images: Tensor, seed: int = 0) -> Tensor:
    n = len(images)
    samples = Samples(images, classes(n), classes(n), images, classes(n))
    result: Tensor = PERTURBATIONS[name](demo_model("vgg"), samples, TRIED[name], generators(n, seed))
    return result


def back(name: str, maps: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    result: tuple[Tensor, Tensor] = PERTURBATIONS[name].load_inverse()(maps, TRIED[name], generators(len(maps), seed))
    return result


def smooth(n: int, height: int, width: int) -> Tensor:
    """Pictures of low frequencies, which bilinear reading keeps."""
    coarse = uniform(n, 1, 4, 4)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True).clamp(0, 1)


def test_every_geometric_change_has_an_inverse_and_nothing_else_has() -> None:
    def moves(entry: PerturbationEntry) -> bool:
        return entry.family == "geometric change"

    assert {name for name, entry in PERTURBATIONS.items() if moves(entry)} == TRIED.keys()
    assert all(bool(entry.inverse) is moves(entry) for entry in PERTURBATIONS.values())


@every_change
def test_a_picture_moved_back_is_the_clean_picture_where_it_was_in_view(name: str) -> None:
    images = smooth(N, 40, 30)
    returned, seen = back(name, changed(name, images)[:, 0])
    exact = name in {"shift", "horizontal_flip"}
    torch.testing.assert_close(returned[seen], images[:, 0][seen], atol=1e-12 if exact else 0.02, rtol=0)
    assert seen.dtype == torch.bool
    assert 0.5 < float(seen.double().mean()) <= 1


@every_change
def test_the_streams_of_the_change_are_those_of_its_inverse(name: str) -> None:
    images = smooth(N, 40, 30)
    returned, seen = back(name, changed(name, images, seed=0)[:, 0], seed=3)
    entry = PERTURBATIONS[name]
    same = torch.allclose(returned[seen], images[:, 0][seen], atol=0.02)
    assert same is not entry.stochastic


def test_a_shift_is_by_whole_pixels_of_one_side_and_mirrors_the_edge() -> None:
    image = uniform(1, 1, 10, 20)
    moved = {tuple(changed("shift", image, seed).flatten().tolist()) for seed in range(40)}
    down = torch.cat([image[..., :2, :].flip(-2), image[..., :-2, :]], -2)
    up = torch.cat([image[..., 2:, :], image[..., -2:, :].flip(-2)], -2)
    right = torch.cat([image[..., :4].flip(-1), image[..., :-4]], -1)
    left = torch.cat([image[..., 4:], image[..., -4:].flip(-1)], -1)
    expected = torch.stack([up, down, left, right]).flatten(1)
    found = torch.tensor(sorted(moved), dtype=torch.float64)
    assert len(found) == 4
    assert (torch.cdist(found, expected).amin(0) < 1e-12).all()


def test_what_was_out_of_view_after_a_shift_is_its_edge() -> None:
    _, seen = back("shift", uniform(N, 10, 20))
    for view in seen:
        rows, columns = view.any(1), view.any(0)
        assert torch.equal(view, rows[:, None] & columns)
        assert sorted((int((~rows).sum()), int((~columns).sum()))) in ([0, 2], [0, 4])


def test_a_quarter_turn_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRIED, "rotation", 90.0)
    image = uniform(1, 1, 9, 9)
    turned = changed("rotation", image)
    quarter = [image.rot90(turns, (-2, -1)) for turns in (1, -1)]
    assert min(float((turned - expected).abs().max()) for expected in quarter) < 1e-12


def test_zoom_enlarges_about_the_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRIED, "zoom", 1.0)
    image = uniform(1, 1, 9, 9)
    enlarged = changed("zoom", image)
    torch.testing.assert_close(enlarged[..., ::2, ::2], image[..., 2:7, 2:7], atol=1e-12, rtol=0)
    _, seen = back("zoom", image[:, 0])
    assert seen.nonzero().amin(0).tolist() == [0, 2, 2]
    assert seen.nonzero().amax(0).tolist() == [0, 6, 6]
