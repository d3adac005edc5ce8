"""Metrics that read answers of a network: against other people's code, and on grids small enough to try all subsets."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, IntegratedGradients
from captum.metrics import infidelity
from metric_arguments import asked
from scipy.stats import entropy, pearsonr, spearmanr
from torch import Tensor, nn
from toys import classes, generator, normal, small

from srd.baselines.input_x_gradient import input_x_gradient
from srd.registry import METRICS
from srd.removal.answers import answers
from srd.removal.fills import fill
from srd.removal.subsets import SIZES, masks_of_cells, random_subsets, single_cells, sized_subsets, sums_over_cells
from srd.types import Cells, Inputs, Maps

H, W = 9, 10


def network() -> nn.Module:
    return small()


def inputs(n: int = 1) -> Inputs:
    return normal(n, 3, H, W)


def maps_of(x: Inputs) -> Maps:
    return input_x_gradient(network(), x, classes(len(x)))


def sums_and_drops(x: Inputs, maps: Maps, cells: Cells) -> tuple[Tensor, Tensor]:
    """Each of (1, subsets), for one image, with zeros in the place of what is removed."""
    masks = masks_of_cells(cells, H, W)
    left = answers(network(), fill(x, masks, 0 * x), classes(1))[:, 0]
    return sums_over_cells(maps, cells), answers(network(), x, classes(1))[:, 0] - left[None]


def slow_sums_and_drops(x: Inputs, maps: Maps, chosen: Sequence[tuple[int, ...]], grid: int) -> list[list[float]]:
    """The same by loops over the pixels of each subset of cells."""
    sums: list[float] = []
    drops: list[float] = []
    whole = float(network()(x)[0, 0].detach())
    for cells in chosen:
        picture, total = x.clone(), 0.0
        for row in range(H):
            for column in range(W):
                own = next(cell for cell in range(grid) if row < (cell + 1) * H // grid)
                other = next(cell for cell in range(grid) if column < (cell + 1) * W // grid)
                if own * grid + other in cells:
                    picture[0, :, row, column] = 0
                    total += float(maps[0, row, column])
        sums.append(total)
        drops.append(whole - float(network()(picture)[0, 0].detach()))
    return [sums, drops]


def as_cells(chosen: Sequence[tuple[int, ...]], grid: int = 3) -> Cells:
    return torch.tensor([[cell in subset for cell in range(grid * grid)] for subset in chosen])


def test_mu_fidelity_over_all_512_subsets_of_a_small_grid_is_scipys_rank_correlation() -> None:
    chosen = [subset for size in range(10) for subset in combinations(range(9), size)]
    x = inputs()
    expected = spearmanr(*np.array(slow_sums_and_drops(x, maps_of(x), chosen, 3))).statistic
    found = METRICS["mu_fidelity"](*sums_and_drops(x, maps_of(x), as_cells(chosen)))
    assert len(chosen) == 512
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_random_subsets_of_a_small_grid_tell_what_all_subsets_in_their_shares_tell() -> None:
    """Drawn with probability 0.2 a cell, 512 subsets have known shares: the draws converge to the exact correlation."""
    chosen = [subset for size in range(10) for subset in combinations(range(9), size)]
    x = inputs()
    sums, drops = (each[0].numpy() for each in sums_and_drops(x, maps_of(x), as_cells(chosen)))
    shares = np.array([0.2 ** len(subset) * 0.8 ** (9 - len(subset)) for subset in chosen])
    moments = np.cov(sums, drops, aweights=shares, ddof=0)
    exact = moments[0, 1] / math.sqrt(moments[0, 0] * moments[1, 1])
    drawn = sums_and_drops(x, maps_of(x), random_subsets(generator(2), 4000, 3))
    found = pearsonr(*(each[0].numpy() for each in drawn))
    low, high = found.confidence_interval(0.999)
    assert low < exact < high


def test_single_deletion_is_scipys_rank_correlation_over_the_cells() -> None:
    x, chosen = inputs(), list(combinations(range(9), 1))
    expected = spearmanr(*np.array(slow_sums_and_drops(x, maps_of(x), chosen, 3))).statistic
    found = METRICS["single_deletion"](*sums_and_drops(x, maps_of(x), single_cells(3)))
    assert found.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sizes", [(1, 4, 7), (2,), (3, 6)])
def test_sensitivity_n_over_all_subsets_of_each_size_is_the_mean_of_scipys_correlations(sizes: tuple[int, ...]) -> None:
    x, correlations, blocks = inputs(), [], []
    for size in sizes:
        chosen = list(combinations(range(9), size))
        correlations.append(pearsonr(*slow_sums_and_drops(x, maps_of(x), chosen, 3)).statistic)
        blocks.append(as_cells(chosen))
    length = math.lcm(*map(len, blocks))
    repeated = torch.cat([block.repeat(length // len(block), 1) for block in blocks])
    found = METRICS["sensitivity_n"](*sums_and_drops(x, maps_of(x), repeated), sizes=len(sizes))
    assert found.item() == pytest.approx(np.mean(correlations), abs=1e-9)


def test_sensitivity_n_takes_as_many_blocks_as_there_are_sizes_of_subsets() -> None:
    assert METRICS["sensitivity_n"].options == {"sizes": len(SIZES)}
    sums = normal(2, 150)
    drops = torch.cat([sums[:, :50], -sums[:, 50:100], sums[:, 100:] * 3], 1)
    torch.testing.assert_close(METRICS["sensitivity_n"](sums, drops), torch.full((2,), 1 / 3).double())


def test_sensitivity_n_is_undefined_if_one_size_tells_nothing() -> None:
    sums, drops = normal(2, 60), normal(2, 60, seed=1)
    drops[0, 20:40] = 0.5
    assert METRICS["sensitivity_n"](sums, drops).isnan().tolist() == [True, False]


@pytest.mark.parametrize("name", ["mu_fidelity", "single_deletion", "sensitivity_n"])
def test_a_map_that_adds_up_to_what_a_linear_network_loses_scores_one(name: str) -> None:
    x = normal(1, 1, 12, 13)
    linear = asked(12, 13)
    maps = linear.contributions(x)
    designs = {"mu_fidelity": random_subsets(generator(), 50), "single_deletion": single_cells()}
    cells = designs.get(name, sized_subsets(generator(), 50))
    drops = linear(x).detach()[:, :1] - linear(fill(x, masks_of_cells(cells, 12, 13), 0 * x)).detach()[None, :, 0]
    torch.testing.assert_close(METRICS[name](sums_over_cells(maps, cells), drops), torch.ones(1).double())


# Infidelity.


def captums(maps: Maps, x: Inputs, masks: Tensor) -> float:
    """captum's infidelity with the same masks as perturbations; each channel has its part of the map."""
    rows = iter(range(len(masks)))

    def perturb(of: Inputs) -> tuple[Tensor, Inputs]:
        removed = torch.stack([masks[next(rows)] for _ in of])[:, None].expand_as(of)
        return removed.to(of.dtype), torch.where(removed, 0, of)

    attributions = maps[:, None].expand_as(x) / x.shape[1]
    found = infidelity(network(), perturb, x, attributions, target=0, n_perturb_samples=len(masks), normalize=True)
    return float(found.detach())


@pytest.mark.parametrize("seed", [0, 1])
def test_infidelity_is_captums_with_the_same_masks(seed: int) -> None:
    x, cells = inputs(), random_subsets(generator(seed), 60)
    for maps in (maps_of(x), normal(1, H, W, seed=seed + 5)):
        found = METRICS["infidelity"](*sums_and_drops(x, maps, cells))
        assert found.item() == pytest.approx(captums(maps, x, masks_of_cells(cells, H, W)), rel=1e-9)


def test_infidelity_is_the_mean_square_of_the_drops_times_what_the_cosine_leaves() -> None:
    sums, drops = normal(6, 200), normal(6, 200, seed=1) + normal(6, 200)
    cosine = torch.cosine_similarity(sums, drops)
    expected = drops.square().mean(1) * (1 - cosine.square())
    torch.testing.assert_close(METRICS["infidelity"](sums, drops), expected)


def test_no_other_multiple_of_the_sums_fits_better() -> None:
    sums, drops = normal(4, 50), normal(4, 50, seed=1) + normal(4, 50)
    least = METRICS["infidelity"](sums, drops)
    for factor in torch.linspace(-2, 2, 41):
        assert bool((least <= (drops - factor * sums).square().mean(1)).all())


# Completeness.


@pytest.mark.parametrize("steps", [4, 64])
def test_completeness_is_captums_convergence_delta_over_the_difference(steps: int) -> None:
    x, black, target = inputs(3), -torch.ones(3, 3, H, W).double(), classes(3)
    method = IntegratedGradients(network())
    maps, delta = method.attribute(x, black, target, n_steps=steps, return_convergence_delta=True)
    _compare(maps, delta, x, black)


@pytest.mark.filterwarnings("ignore:Setting forward")
def test_completeness_of_deep_lift_is_captums_convergence_delta_over_the_difference() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 56, 4)).double().eval()
    x, black, target = inputs(3).requires_grad_(), -torch.ones(3, 3, H, W).double(), classes(3)
    maps, delta = DeepLift(layers).attribute(x, black, target, return_convergence_delta=True)
    logits = [answers(layers, each, target)[:, 0] for each in (x, black)]
    gap = METRICS["completeness"](maps.sum((1, 2, 3)).detach(), *logits)
    torch.testing.assert_close(gap, (delta / (logits[0] - logits[1])).abs().detach())
    assert float(gap.max()) < 1e-9, "DeepLIFT adds up on such a network"


def _compare(maps: Tensor, delta: Tensor, x: Inputs, black: Inputs) -> None:
    logits = [answers(network(), each, classes(3))[:, 0] for each in (x, black)]
    gap = METRICS["completeness"](maps.sum((1, 2, 3)).detach(), *logits)
    torch.testing.assert_close(gap, (delta / (logits[0] - logits[1])).abs().detach())


def test_completeness_is_relative_and_undefined_where_black_is_answered_alike() -> None:
    numbers = torch.tensor([[3.0, 2.5, 1.0], [0.0, 2.5, 1.0], [-1.5, 2.5, 1.0], [1.0, 2.0, 2.0], [math.inf, 2.0, 1.0]])
    found = METRICS["completeness"](*numbers.double().unbind(1)).tolist()
    assert found == pytest.approx([1, 1, 2, math.nan, math.nan], nan_ok=True)


# Complexity.


@pytest.mark.parametrize("kind", ["signed", "skewed"])
def test_the_rise_of_complexity_is_that_of_scipys_entropy_of_numpys_histogram(kind: str) -> None:
    change: dict[str, Callable[[Tensor], Tensor]] = {"signed": lambda x: x, "skewed": torch.exp}
    clean, redrawn = normal(5, 30, 31), change[kind](normal(5, 30, 31, seed=1))
    heights = [[entropy(np.histogram(each.numpy(), 100)[0]) for each in maps] for maps in (clean, redrawn)]
    expected = [(after - before) / before for before, after in zip(*heights, strict=True)]
    np.testing.assert_allclose(METRICS["complexity_rise"](clean, redrawn).numpy(), expected, rtol=1e-12)


def test_complexity_of_two_values_and_of_a_hundred_is_known() -> None:
    two = torch.arange(200).remainder(2).double().view(1, 10, 20)
    hundred = torch.arange(200).remainder(100).double().view(1, 10, 20)
    rise = METRICS["complexity_rise"]
    assert rise(two, hundred).item() == pytest.approx(math.log(100) / math.log(2) - 1)
    assert rise(two, 0 * two).tolist() == [-1]
    assert rise(0 * two, two).isnan().all()
    assert rise(two, two * torch.nan).isnan().all()
