"""Class, distillation and register tokens: they have no place on a map, and a head that reads them reads no patches."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from toys import classes, normal, relative_error, shaken

from srd.decomposition import account, decompose
from srd.prefix_tokens import PrefixTokens
from srd.registry import ATTRIBUTORS

X, TARGET = normal(2, 3, 12, 12), classes(2)
Join = Callable[[Tensor, Tensor], Tensor]
"""(tokens of no patch, tokens of patches), (n, tokens, width) each -> all tokens."""

JOINS: dict[str, tuple[int, Join]] = {
    "class token": (1, lambda extra, patches: torch.cat([extra, patches], 1)),
    "class and distillation token": (2, lambda extra, patches: torch.cat([extra[:, :1], extra[:, 1:], patches], dim=1)),
    "registers before": (5, lambda extra, patches: torch.concat((extra, patches), dim=-2)),
    "registers inserted": (5, lambda extra, patches: inserted(extra[:, 1:], torch.cat([extra[:, :1], patches], 1))),
    "no class token": (7, lambda extra, patches: torch.cat(tensors=[extra, patches], dim=1)),  # 16 = 4 x 4 in all
}


def inserted(registers: Tensor, tokens: Tensor) -> Tensor:
    return torch.cat([tokens[:, :1], registers, tokens[:, 1:]], 1)


class Transformer(nn.Module):
    """Patches of 4 x 4 pixels, 3 x 3 of them; the head reads the mean of some tokens."""

    def __init__(self, n_extra: int, join: Join, read: slice) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 4, stride=4)
        self.extra = nn.Parameter(torch.randn(1, n_extra, 6))
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(6, 2, 8, 0.0, batch_first=True, norm_first=True) for _ in range(3))
        )
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 4)
        self.join, self.read = join, read

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.patches(inputs).flatten(2).transpose(1, 2)
        tokens = self.blocks(self.join(self.extra.expand(len(inputs), -1, -1), patches))
        logits: Tensor = self.head(self.norm(tokens)[:, self.read].mean(1))
        return logits


def transformer(kind: str, *, reads_patches: bool = False) -> Transformer:
    n_extra, join = JOINS[kind]
    n_read = 2 if kind == "class and distillation token" else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        read = slice(n_extra, None) if reads_patches else slice(n_read)
        return shaken(Transformer(n_extra, join, read)).double().requires_grad_(False)


every_join = pytest.mark.parametrize("kind", JOINS)


@pytest.mark.parametrize("shapes", [[(1, 5), (1, 9)], [(1, 1), (1, 4), (1, 9)]])
def test_what_is_joined_before_the_last_tokens_of_an_image_is_counted(shapes: list[tuple[int, int]]) -> None:
    tokens = [normal(*shape, 6) for shape in shapes]
    seen = PrefixTokens()
    seen.note("cat", (tokens, 1), {}, lambda tensor: tensor is tokens[-1])
    assert seen.among(14) == 5
    assert seen.among(9) is None


@pytest.mark.parametrize(
    ("name", "args", "carries"),
    [
        ("add", ([normal(1, 5, 6), normal(1, 9, 6)], 1), False),
        ("stack", ([normal(1, 9, 6), normal(1, 9, 6)], 1), False),
        ("cat", ([normal(1, 5, 6), normal(1, 9, 6)], 1), True),
        ("cat", ([normal(1, 9, 5), normal(1, 9, 9)], 2), False),
        ("cat", ([normal(1, 5, 2, 2), normal(1, 9, 2, 2)], 1), False),
    ],
)
def test_no_other_join_is_counted(name: str, args: tuple[list[Tensor], int], *, carries: bool) -> None:
    seen = PrefixTokens()
    seen.note(name, args, {}, lambda tensor: carries or tensor is args[0][1])
    assert all(seen.among(n) is None for n in range(20))


@every_join
def test_a_map_is_that_of_the_patches(kind: str) -> None:
    network, n_extra = transformer(kind, reads_patches=True), JOINS[kind][0]
    maps = ATTRIBUTORS["srd_coarse"].native()(network, X, TARGET, contrast="none")
    patches = network.patches(X).flatten(2).transpose(1, 2)
    normed = network.norm(network.blocks(network.join(network.extra.expand(2, -1, -1), patches))).detach()
    normed.requires_grad_()
    scores = network.head(normed[:, n_extra:].mean(1)).gather(1, TARGET[:, None])
    (gradient,) = torch.autograd.grad(scores.sum(), normed)
    assert relative_error(maps, (normed * gradient).detach().sum(2)[:, n_extra:].unflatten(1, (3, 3))) <= 1e-12


@every_join
@pytest.mark.parametrize(
    "method", ["grad_cam", "layer_cam", "score_cam", "ablation_cam", "attention_rollout", "full_grad"]
)
def test_every_method_leaves_out_tokens_of_no_patch(method: str, kind: str) -> None:
    maps = ATTRIBUTORS[method].native()(transformer(kind, reads_patches=True), X, TARGET)
    assert tuple(maps.shape) == ((2, 12, 12) if method == "full_grad" else (2, 3, 3))


@every_join
def test_a_head_that_reads_tokens_of_no_patch_is_explained_from_the_tokens_below_its_last_block(kind: str) -> None:
    network = transformer(kind)
    found = account(network, X, TARGET, contrast="none")
    named = account(network, X, TARGET, contrast="none", encoder="blocks.1")
    assert torch.equal(found.maps, named.maps)
    torch.testing.assert_close(found.maps.sum((1, 2)) + found.lost, found.initial.sum(1))
    first, second = (decompose(network, X, torch.tensor([c, c])) for c in (0, 1))
    assert not torch.allclose(first, second)
