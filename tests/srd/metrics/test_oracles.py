"""Metrics against other people's code, and against maps whose score is known."""

import math

import numpy as np
import pytest
import torch
from captum.metrics import sensitivity_max
from scipy.ndimage import maximum_filter
from scipy.stats import entropy as scipys_entropy
from scipy.stats import spearmanr, wasserstein_distance
from sklearn.metrics import roc_auc_score
from torch import Tensor
from toys import normal, uniform

from srd.metrics._maps import top_k
from srd.registry import METRICS
from srd.types import Maps, Masks

SIZE = 40, 43
KINDS = ("signed", "tied", "not negative")


def maps_of(kind: str, seed: int = 0, size: tuple[int, int] = SIZE) -> Maps:
    """Four maps, which share something with those of other seeds."""
    maps = normal(4, *size, seed=seed) + normal(4, *size, seed=99)
    return {"signed": maps, "tied": maps.round(), "not negative": maps.clamp(min=0)}[kind]


def masks_of(seed: int = 2) -> Masks:
    return uniform(4, *SIZE, seed=seed) < 0.3


def point(row: int, column: int, size: tuple[int, int] = (14, 21)) -> Maps:
    maps = torch.zeros(1, *size, dtype=torch.float64)
    maps[0, row, column] = 1
    return maps


@pytest.mark.parametrize("kind", KINDS)
def test_spearman_is_scipys(kind: str) -> None:
    a, b = maps_of(kind), maps_of(kind, 1)
    expected = [spearmanr(p.flatten().numpy(), q.flatten().numpy()).statistic for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(METRICS["spearman"](a, b).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_roc_auc_is_sklearns(kind: str) -> None:
    maps, masks = maps_of(kind), masks_of()
    expected = [roc_auc_score(s.flatten().numpy(), p.flatten().numpy()) for p, s in zip(maps, masks, strict=True)]
    np.testing.assert_allclose(METRICS["roc_auc"](maps, masks).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_roc_auc_of_many_pixels_is_sklearns_to_the_last_digit(kind: str) -> None:
    """Their doubled ranks add up to more than single precision holds."""
    maps, mask = maps_of(kind, size=(224, 224))[:1], uniform(1, 224, 224, seed=2) < 0.3
    expected = roc_auc_score(mask.flatten().numpy(), maps.flatten().numpy())
    assert METRICS["roc_auc"](maps, mask).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("factor", [1, 1e-42, -0.0, 1e30])
@pytest.mark.parametrize("kind", KINDS)
def test_roc_auc_in_single_precision_is_that_of_the_same_values_in_double(kind: str, factor: float) -> None:
    """Subnormal and signed zeros are among them."""
    maps = (factor * maps_of(kind)).float().where(normal(4, *SIZE, seed=5) > 0, maps_of(kind).float())
    torch.testing.assert_close(
        METRICS["roc_auc"](maps, masks_of()), METRICS["roc_auc"](maps.double(), masks_of()).float(), rtol=0, atol=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_entropy_is_scipys_over_that_of_an_even_map(kind: str) -> None:
    maps = maps_of(kind)
    expected = scipys_entropy(maps.abs().flatten(1).numpy(), axis=1) / math.log(math.prod(SIZE))
    np.testing.assert_allclose(METRICS["entropy"](maps).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_sliced_w1_is_scipys_distance_of_the_marginals(kind: str) -> None:
    a, b = maps_of(kind), maps_of(kind, 1)
    expected = [np.mean([_scipys(p, q, axis) for axis in (0, 1)]) for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(METRICS["sliced_w1"](a, b).numpy(), expected, rtol=1e-10)


def _scipys(a: Tensor, b: Tensor, axis: int) -> float:
    p, q = (each.clamp(min=0).sum(axis).numpy() for each in (a, b))
    places = np.arange(len(p))
    return float(wasserstein_distance(places, places, p, q)) / len(p)


@pytest.mark.parametrize("kind", KINDS)
def test_relative_change_is_captums_sensitivity_to_the_stored_maps(kind: str) -> None:
    a, b = maps_of(kind), maps_of(kind, 1)
    stored = iter([a, b])
    theirs = sensitivity_max(lambda _: (next(stored),), a, perturb_func=lambda inputs, _: inputs, n_perturb_samples=1)
    torch.testing.assert_close(METRICS["relative_change"](a, b), theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("size", "reach"), [((40, 43), 1), ((150, 160), 2), ((224, 224), 3)])
def test_top_k_near_is_the_corrected_recall_in_scipys_dilation(size: tuple[int, int], reach: int) -> None:
    a, b = (normal(2, *size, seed=seed) + 0.5 * normal(2, *size, seed=9) for seed in (0, 1))
    expected = [(_recall(p, q, reach) + _recall(q, p, reach)) / 2 for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(METRICS["top_k_near"](a, b).numpy(), expected, rtol=1e-12)


def _recall(first: Tensor, second: Tensor, reach: int) -> float:
    chosen, others = (top_k(each[None])[0].numpy() for each in (first, second))
    near = maximum_filter(chosen, size=2 * reach + 1, mode="constant")
    return float((near[others].mean() - near.mean()) / (1 - near.mean()))


def test_unrelated_maps_are_near_by_chance_alone_and_score_0() -> None:
    a, b = normal(24, 224, 224), normal(24, 224, 224, seed=1)
    raw = [maximum_filter(p.numpy(), size=7, mode="constant")[q.numpy()].mean()
           for p, q in zip(top_k(a), top_k(b), strict=True)]  # fmt: skip
    assert np.mean(raw) == pytest.approx(0.92, abs=0.005)
    scores = METRICS["top_k_near"](a, b)
    assert abs(float(scores.mean())) < 3 * float(scores.std()) / math.sqrt(24)
    assert float(scores.std()) < 0.1


def test_no_pixel_is_far_from_the_strongest_of_a_tiny_map() -> None:
    assert METRICS["top_k_near"](point(1, 1, (3, 3)), point(0, 0, (3, 3))).isnan().all()


@pytest.mark.parametrize(("to", "rows", "columns"), [((3, 4), 0, 0), ((3, 16), 0, 12), ((10, 4), 7, 0), ((6, 8), 3, 4)])
def test_a_point_that_moves(to: tuple[int, int], rows: int, columns: int) -> None:
    a, b = point(3, 4), -2 * point(*to)
    assert METRICS["mass_centre_shift"](a, b).item() == pytest.approx(math.hypot(rows, columns) / math.hypot(14, 21))
    assert METRICS["sliced_w1"](a, -b).item() == pytest.approx((rows / 14 + columns / 21) / 2)


def test_half_of_a_points_mass_moves_the_centre_half_the_way() -> None:
    a, b = point(3, 4), point(3, 4) - point(9, 12)
    assert METRICS["mass_centre_shift"](a, b).item() == pytest.approx(5 / math.hypot(14, 21))


def test_the_shift_of_the_mass_centre_is_no_larger_than_what_moves_the_mass() -> None:
    a, b = maps_of("not negative"), maps_of("not negative", 1)
    along = (
        (a.sum(axis).cumsum(1) / a.sum((1, 2))[:, None] - b.sum(axis).cumsum(1) / b.sum((1, 2))[:, None]).abs().sum(1)
        for axis in (1, 2)
    )
    bound = sum(each for each in along) / math.hypot(*SIZE)
    assert bool((METRICS["mass_centre_shift"](a, b) <= bound).all())


def test_coarse_pearson_is_numpys_on_blocks_where_7_divides_the_sides() -> None:
    a, b = (normal(3, 14, 21, seed=seed) + 0.4 * normal(3, 14, 21, seed=9) for seed in (0, 1))
    blocks = [each.numpy().reshape(3, 7, 2, 7, 3).mean((2, 4)).reshape(3, 49) for each in (a, b)]
    expected = [np.corrcoef(p, q)[0, 1] for p, q in zip(*blocks, strict=True)]
    np.testing.assert_allclose(METRICS["coarse_pearson"](a, b).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [(28, 28), (30, 31), (5, 6)])
def test_coarse_pearson_sees_no_change_within_cells(size: tuple[int, int]) -> None:
    """A map on 7 times its pixels along each axis has cells that are means over whole pixels."""
    a, b = normal(3, *size), normal(3, *size, seed=1)
    finer = [each.repeat_interleave(7, 1).repeat_interleave(7, 2) for each in (a, b)]
    torch.testing.assert_close(METRICS["coarse_pearson"](*finer), METRICS["coarse_pearson"](a, b))


def test_coarse_pearson_has_nothing_to_compare_in_stripes_finer_than_cells() -> None:
    stripes = torch.tensor([0.1, -0.1]).repeat(14).expand(1, 28, 28)
    assert METRICS["pearson"](stripes, normal(1, 28, 28, dtype=torch.float32)).isfinite().all()
    assert METRICS["coarse_pearson"](stripes, normal(1, 28, 28, dtype=torch.float32)).isnan().all()


def test_ssim_and_top_k_of_maps_drawn_by_hand() -> None:
    a, b = torch.zeros(1, 10, 10).double(), torch.zeros(1, 10, 10).double()
    a[0, 0, :5] = torch.tensor([5.0, 4, 3, 2, 1])
    b[0, 0, 3:8] = torch.tensor([5.0, 4, 3, 2, 1])
    assert METRICS["top_k_intersection"](a, b).tolist() == [2 / 5]
    assert METRICS["top_k_intersection"](-point(9, 9, (10, 10)), b.roll(-3, 2)).tolist() == [1], "first of equals"
    with pytest.raises(ValueError, match="11x11"):
        METRICS["ssim"](a, b)


def test_signs_of_pixels_that_say_nothing_are_not_counted() -> None:
    a, b = point(3, 4) - point(5, 5), point(3, 4) + point(5, 5)
    assert METRICS["sign_agreement"](a, b).tolist() == [0.5]
    assert METRICS["sign_agreement"](a, -a).tolist() == [0]
    assert METRICS["sign_agreement"](a, point(8, 8)).tolist() == [0], "a pixel of 0 agrees with none"


@pytest.mark.parametrize(("side", "reach"), [(224, 14), (112, 7), (30, 2), (14, 0)])
def test_the_tolerance_of_the_pointing_game_is_less_than_15_pixels_of_224(side: int, reach: int) -> None:
    at = side // 2
    hits = [float(METRICS["pointing_game_near"](point(at, at, (side, side)), point(at, at + off, (side, side)) > 0))
            for off in range(side // 2)]  # fmt: skip
    assert hits == [1] * (reach + 1) + [0] * (side // 2 - reach - 1)


def test_the_tolerance_of_the_pointing_game_is_a_disc() -> None:
    for down, right, hit in ((10, 10, 1), (11, 11, 0), (-14, 5, 1), (-14, 6, 0)):
        mask = point(100 + down, 100 + right, (224, 224)) > 0
        assert METRICS["pointing_game_near"](point(100, 100, (224, 224)), mask).item() == hit


def test_pointing_games_ask_for_the_first_of_the_highest_pixels() -> None:
    mask = torch.zeros(1, 14, 21, dtype=torch.bool)
    mask[:, 5:9, 5:9] = True
    for name in ("pointing_game", "pointing_game_near"):
        assert METRICS[name](point(6, 6), mask).tolist() == [1]
        assert METRICS[name](point(6, 6) - 3 * point(0, 0), mask).tolist() == [1], "the lowest pixel is not the highest"
        assert METRICS[name](point(0, 3) + point(6, 6), mask).tolist() == [0]
        assert METRICS[name](point(6, 6) + point(13, 3), mask).tolist() == [1]


def test_localisation_of_maps_drawn_by_hand() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 1:3, 1:3] = True
    maps = 3 * point(1, 1, (4, 4)) + point(0, 0, (4, 4)) - 100 * point(3, 3, (4, 4)) - 100 * point(2, 2, (4, 4))
    assert METRICS["attribution_localisation"](maps, mask).tolist() == [0.75]
    assert METRICS["attribution_localisation"](torch.ones(1, 4, 4), mask).tolist() == [0.25]
    assert METRICS["rank_accuracy"](maps, mask).tolist() == [0.25], (
        "of (1,1), (0,0) and two of the zeros that come first"
    )
    assert METRICS["roc_auc"](mask.double(), mask).tolist() == [1]
    assert METRICS["roc_auc"](-mask.double(), mask).tolist() == [0]


@pytest.mark.parametrize("held", [1, 7, 90, 100, 300])
def test_the_share_of_pixels_that_hold_90_percent_has_a_closed_form(held: int) -> None:
    maps = torch.zeros(1, 300).index_fill(1, torch.arange(held), -0.1).view(1, 15, 20)
    assert METRICS["share_90"](maps).item() == pytest.approx(-(-9 * held // 10) / 300)


@pytest.mark.parametrize("held", [1, 7, 90, 100, 300])
def test_entropy_and_sparseness_of_an_even_part_have_a_closed_form(held: int) -> None:
    maps = torch.zeros(1, 300).index_fill(1, torch.arange(held), -0.1).double().view(1, 15, 20)
    assert METRICS["entropy"](maps).item() == pytest.approx(math.log(held) / math.log(300))
    assert METRICS["sparseness"](maps).item() == pytest.approx(1 - held / 300)
