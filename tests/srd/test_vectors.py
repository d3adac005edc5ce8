"""Feature vectors and where their channels go: against an array in which only the channels differ."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from toys import normal, relative_error

from srd.errors import UnsupportedOperation
from srd.vectors import channels_after, inner, on_grid, position_axes, safe_ratio

Rearrangement = Callable[[Tensor], Any]

REARRANGEMENTS: dict[str, Rearrangement] = {
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "transpose": lambda x: torch.transpose(x, 1, 2),
    "movedim": lambda x: x.movedim(1, -1),
    "split channels": lambda x: x.view(2, 2, 3, 4, 5),
    "split positions": lambda x: x.reshape(2, 6, 2, 2, 5),
    "chunk": lambda x: x.chunk(2, 1),
    "slice": lambda x: x[:, :, ::2],
    "one row": lambda x: x[:, :, 1],
    "new axis": lambda x: x.unsqueeze(1),
    "same": lambda x: x.reshape(x.shape),
}


@pytest.mark.parametrize("name", REARRANGEMENTS)
@pytest.mark.parametrize("channels", [(1,), (3,), (1, 2)])
def test_channels_are_where_the_values_that_differ_by_channel_are(name: str, channels: tuple[int, ...]) -> None:
    x, rearrange = normal(2, 6, 4, 5), REARRANGEMENTS[name]
    sizes = [x.shape[axis] if axis in channels else 1 for axis in range(4)]
    labels = torch.arange(torch.Size(sizes).numel()).reshape(sizes).expand(x.shape)
    found = channels_after(rearrange, (x,), {}, x, channels)
    result = rearrange(labels)
    part = result[0] if isinstance(result, tuple) else result
    differing = tuple(axis for axis in range(part.dim()) if part.diff(dim=axis).any())
    assert found == differing


@pytest.mark.parametrize(
    "mixing",
    [
        lambda x: x.flatten(1),
        lambda x: x.view(2, 24, 5),
        lambda x: x.transpose(1, 2).reshape(2, 24, 5),
        lambda x: x.permute(0, 2, 1, 3).reshape(8, 30),
    ],
)
def test_channels_that_merge_with_positions_are_nowhere(mixing: Rearrangement) -> None:
    x = normal(2, 6, 4, 5)
    assert channels_after(mixing, (x,), {}, x, (1,)) is None
    assert channels_after(mixing, (x,), {}, x, None) is None


def test_a_shuffle_of_channels_leaves_them_channels() -> None:
    x = normal(2, 6, 4, 5)
    groups = x.view(2, 2, 3, 4, 5)
    assert channels_after(lambda t: t.view(2, 2, 3, 4, 5), (x,), {}, x, (1,)) == (1, 2)
    assert channels_after(lambda t: t.transpose(1, 2), (groups,), {}, groups, (1, 2)) == (1, 2)
    shuffled = groups.transpose(1, 2).contiguous()
    assert channels_after(lambda t: t.view(2, 6, 4, 5), (shuffled,), {}, shuffled, (1, 2)) == (1,)


def test_positions_that_merge_leave_the_channels() -> None:
    x = normal(2, 6, 4, 5)
    assert channels_after(lambda t: t.flatten(2), (x,), {}, x, (1,)) == (1,)
    assert channels_after(lambda t: t.flatten(0, 2), (x,), {}, x, (3,)) == (1,)


@pytest.mark.parametrize("channels", [(1,), (3,), (1, 3), ()])
def test_inner_products_run_over_the_channels(channels: tuple[int, ...]) -> None:
    a, b = normal(2, 6, 4, 5), normal(2, 6, 4, 5, seed=1)
    expected = a * b
    for axis in channels:
        expected = expected.sum(axis, keepdim=True)
    assert relative_error(inner(a, b, channels), expected) <= 1e-14
    assert sorted({0, *channels, *position_axes(a, channels)}) == [0, 1, 2, 3]


def test_a_ratio_to_nothing_is_nothing_and_so_is_its_gradient() -> None:
    divisor = torch.tensor([2.0, 0.0], requires_grad=True)
    ratio = safe_ratio(torch.tensor([3.0, 3.0]), divisor)
    assert ratio.tolist() == [1.5, 0.0]
    (gradient,) = torch.autograd.grad(ratio.sum(), divisor)
    assert gradient.tolist() == [-0.75, 0.0]


@pytest.mark.parametrize(
    ("n_tokens", "size", "grid"), [(6, (8, 12), (2, 3)), (7, (8, 12), (2, 3)), (16, (9, 9), (4, 4))]
)
def test_tokens_lie_row_by_row(n_tokens: int, size: tuple[int, int], grid: tuple[int, int]) -> None:
    values = normal(2, n_tokens)
    result = on_grid(values, *size)
    assert result.shape == (2, *grid)
    assert torch.equal(result.flatten(1), values[:, n_tokens - grid[0] * grid[1] :])
    assert torch.equal(on_grid(result, *size), result)


def test_tokens_that_lie_on_no_grid_are_refused() -> None:
    with pytest.raises(UnsupportedOperation, match=r"\(7,\) positions do not lie on a grid of 8 : 8"):
        on_grid(normal(2, 7), 8, 8)
