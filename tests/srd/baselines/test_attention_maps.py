"""Maps of attention against slow definitions, whose weights and gradients come from hooks and the chain rule; laws."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import pytest
import torch
from families import shrunken
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, normal, relative_error, shaken, small, tiny_transformer

from srd.errors import UnsupportedOperation
from srd.registry import ATTRIBUTORS
from srd.surrogates import softplus
from srd.types import Attributor

attention_rollout, generic_attention = ATTRIBUTORS["attention_rollout"], ATTRIBUTORS["generic_attention"]
METHODS: dict[str, Attributor] = {"rollout": attention_rollout, "generic attention": generic_attention}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
X, TARGET = normal(2, 3, 8, 8), classes(2)
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(queries, keys, values), (n, heads, tokens, width) each -> what attention makes of the values."""


class Layer(NamedTuple):
    """Attention weights and the gradient of the target's logit by them, (n, heads, tokens, tokens) each."""

    weights: Tensor
    gradients: Tensor


def layers_of(network: nn.Module, inputs: Tensor, target: Tensor) -> list[Layer]:
    """The weights are nn.MultiheadAttention's own; d score / d A_ij = <d score / d output_i, W_out v_j> of a head."""
    seen: list[tuple[nn.MultiheadAttention, Tensor, Tensor, Tensor]] = []

    def ask(module: nn.Module, args: Any, options: dict[str, Any]) -> Any:
        return args, options | {"need_weights": True, "average_attn_weights": False}

    def note(module: Any, args: Any, made: tuple[Tensor, Tensor]) -> None:
        seen.append((module, args[2], *made))

    handles = []
    for module in network.modules():
        if isinstance(module, nn.MultiheadAttention):
            handles += [module.register_forward_pre_hook(ask, with_kwargs=True), module.register_forward_hook(note)]
    scores = network(inputs.clone().requires_grad_()).gather(1, target[:, None])
    for handle in handles:
        handle.remove()
    signals = torch.autograd.grad(scores.sum(), [output for *_, output, _ in seen])
    pairs = zip(seen, signals, strict=True)
    return [Layer(weights, by_weights(module, read, signal)) for (module, read, _, weights), signal in pairs]


def by_weights(module: nn.MultiheadAttention, read: Tensor, signal: Tensor) -> Tensor:
    """The gradient by the weights, where `signal` is that by the layer's outputs; it has `read` its inputs."""
    width, weight, bias = module.head_dim, module.in_proj_weight, module.in_proj_bias
    values = functional.linear(read, weight[2 * module.embed_dim :], bias[2 * module.embed_dim :])
    parts = [slice(width * head, width * (head + 1)) for head in range(module.num_heads)]
    heads = [signal @ module.out_proj.weight[:, part] @ values[..., part].mT for part in parts]
    return torch.stack(heads, 1)


def slow_rollout(layers: Sequence[Layer], row: int, read: Sequence[int]) -> Tensor:
    n_tokens = layers[0].weights.shape[-1]
    rolled = torch.eye(n_tokens, dtype=torch.float64)
    for layer in layers:
        mean = sum(layer.weights[row]) / len(layer.weights[row])
        rolled = (0.5 * mean + 0.5 * torch.eye(n_tokens)) @ rolled
    return rolled[list(read)].mean(0)


def slow_generic_attention(layers: Sequence[Layer], row: int, read: Sequence[int]) -> Tensor:
    n_tokens, n_heads = layers[0].weights.shape[-1], layers[0].weights.shape[1]
    relevance = torch.eye(n_tokens, dtype=torch.float64)
    for layer in layers:
        update = torch.zeros(n_tokens, n_tokens, dtype=torch.float64)
        for head in range(n_heads):
            product = layer.gradients[row, head] * layer.weights[row, head]
            update += product * (product > 0) / n_heads
        relevance = relevance + update @ relevance
    return relevance[list(read)].mean(0)


SLOW = {"rollout": slow_rollout, "generic attention": slow_generic_attention}


def expected(name: str, network: nn.Module, inputs: Tensor, target: Tensor, read: Sequence[int]) -> Tensor:
    """On the grid of patches, those of a square image; tokens in front of them have no place on it."""
    layers = layers_of(network, inputs, target)
    shares = torch.stack([SLOW[name](layers, row, read) for row in range(len(inputs))]).detach()
    n_extra = network.extra.shape[1] if isinstance(network, Transformer) else 1
    side = int((shares.shape[1] - n_extra) ** 0.5)
    return shares[:, -(side * side) :].reshape(-1, side, side)


def upsampled(coarse: Tensor, size: Sequence[int] = (8, 8)) -> Tensor:
    return functional.interpolate(coarse[:, None], size, mode="bilinear", align_corners=False)[:, 0]


@pytest.mark.parametrize("name", METHODS)
def test_of_torchvisions_transformer_it_is_the_slow_definition(name: str) -> None:
    network = tiny_transformer()
    coarse = expected(name, network, X, TARGET, read=[0])
    assert relative_error(METHODS[name](network, X, TARGET), upsampled(coarse)) < 1e-12


@pytest.mark.parametrize("name", METHODS)
def test_of_more_patches_and_heads_it_is_the_slow_definition(name: str) -> None:
    network, inputs = shrunken("ViT-B/16"), normal(2, 3, 40, 40)
    coarse = expected(name, network, inputs, TARGET, read=[0])
    assert coarse.shape == (2, 5, 5)
    assert relative_error(METHODS[name](network, inputs, TARGET), upsampled(coarse, (40, 40))) < 1e-12


class Block(nn.Module):
    """Attention by torch's own layer, or, with its weights, by hand."""

    def __init__(self, width: int, attend: Attend | None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.perceptron = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 9), nn.ReLU(), nn.Linear(9, width))
        self.attend = attend

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attended(self.norm(tokens))
        result: Tensor = tokens + self.perceptron(tokens)
        return result

    def attended(self, x: Tensor) -> Tensor:
        if self.attend is None:
            return self.attention(x, x, x, need_weights=False)[0]  # type: ignore[no-any-return]
        qkv = functional.linear(x, self.attention.in_proj_weight, self.attention.in_proj_bias)
        heads = self.attend(*qkv.unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4))
        return self.attention.out_proj(heads.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Patches of 4 x 4 pixels; the head reads some of the tokens."""

    def __init__(self, attend: Attend | None, n_layers: int, n_extra: int, read: slice, width: int = 6) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.extra = nn.Parameter(torch.randn(1, n_extra, width))
        self.blocks = nn.Sequential(*(Block(width, attend) for _ in range(n_layers)))
        self.head = nn.Linear(width, 4)
        self.read = read

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.patches(inputs).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.extra.expand(len(inputs), -1, -1), patches], 1)
        logits: Tensor = self.head(self.blocks(tokens)[:, self.read].mean(1))
        return logits


Head = Literal[
    "class token",
    "all tokens",
    "patches, not the class token",
    "class and distillation token",
    "class token before registers",
    "patches behind registers",
]
HEADS: dict[Head, tuple[int, slice]] = {
    "class token": (1, slice(0, 1)),
    "all tokens": (0, slice(None)),
    "patches, not the class token": (1, slice(1, None)),
    "class and distillation token": (2, slice(0, 2)),
    "class token before registers": (5, slice(0, 1)),
    "patches behind registers": (5, slice(5, None)),
}


def transformer(attend: Attend | None = None, head: Head = "class token", n_layers: int = 2) -> Transformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(Transformer(attend, n_layers, *HEADS[head])).double()


def as_timm_does(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
    return functional.dropout(weights, 0.1, training=False) @ v


def by_einsum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("bhij,bhjd->bhid", nn.Softmax(3)(scores), v)


ATTENDING: dict[str, Attend] = {
    "timm": as_timm_does,
    "einsum": by_einsum,
    "scaled_dot_product_attention": functional.scaled_dot_product_attention,
}


@pytest.mark.parametrize("attend", ATTENDING.values(), ids=ATTENDING)
@pytest.mark.parametrize("name", METHODS)
def test_attention_may_be_written_by_hand(name: str, attend: Attend) -> None:
    coarse = expected(name, transformer(), X, TARGET, read=[0])
    assert relative_error(METHODS[name](transformer(attend), X, TARGET), upsampled(coarse)) < 1e-12


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", METHODS)
def test_the_rows_are_those_of_the_tokens_that_the_head_reads(name: str, head: Head) -> None:
    n_extra, read = HEADS[head]
    coarse = expected(name, transformer(head=head), X, TARGET, read=range(4 + n_extra)[read])
    assert relative_error(METHODS[name](transformer(head=head), X, TARGET), upsampled(coarse)) < 1e-12


def test_rows_of_rollout_sum_to_1() -> None:
    maps = attention_rollout(transformer(head="all tokens"), X, TARGET)
    torch.testing.assert_close(maps.sum((1, 2)), torch.full((2,), 16.0, dtype=torch.float64))  # pixels of a patch


def test_uniform_attention_gives_a_uniform_rollout() -> None:
    """Three layers leave 1 / 2^3 of a token at its place, and deal out the rest evenly over 5."""
    network = transformer(n_layers=3)
    for block in network.blocks:
        block.get_submodule("attention").get_parameter("in_proj_weight").data[:12] = 0
        block.get_submodule("attention").get_parameter("in_proj_bias").data[:12] = 0
    maps = attention_rollout(network, X, TARGET)
    torch.testing.assert_close(maps, torch.full_like(maps, (1 - 0.5**3) / 5))


def to_themselves(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=torch.eye(q.shape[-2], dtype=torch.bool))


def test_a_layer_whose_tokens_attend_to_themselves_changes_nothing_of_rollout() -> None:
    one_layer, two_layers = (transformer(as_timm_does, n_layers=n) for n in (1, 2))
    last = two_layers.blocks[1]
    assert isinstance(last, Block)
    last.attend = to_themselves
    expected, result = (attention_rollout(network, X, TARGET) for network in (one_layer, two_layers))
    torch.testing.assert_close(result, expected)


@every_method
def test_nothing_is_seen_of_patches_that_no_token_attends_to(method: Attributor) -> None:
    def to_the_first_two(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        mask = torch.arange(k.shape[-2]) < 2
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(q.shape[-2], -1))

    corners = method(transformer(to_the_first_two), X, TARGET)[:, ::7, ::7].flatten(1)
    assert bool((corners[:, 0] > 0).all())
    assert not corners[:, 1:].any()


def test_of_one_layer_the_relevance_grows_with_the_logits() -> None:
    network = transformer(n_layers=1)
    once = generic_attention(network, X, TARGET)
    with torch.no_grad():
        network.head.weight.mul_(3)
    torch.testing.assert_close(generic_attention(network, X, TARGET), 3 * once)
    assert bool(once.any())


def test_a_logit_that_reads_nothing_has_no_relevance() -> None:
    network = transformer()
    with torch.no_grad():
        network.head.weight[TARGET[0]] = 0
    speaks = generic_attention(network, X, TARGET).flatten(1).any(1)
    assert speaks.tolist() == [False, True]


@every_method
def test_its_own_gradient_is_the_true_one(method: Attributor) -> None:
    network, target = transformer(as_timm_does), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return method(network, inputs, target, create_graph=True)

    inputs = normal(1, 3, 8, 8).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)


def mixed_with_positions(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As the gates of ConViT do."""
    return (0.5 * (q @ k.mT).softmax(-1) + 0.5 * torch.eye(q.shape[-2])) @ v


def of_merged_tokens(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Keys and values by twos, as where attention reduces them."""
    return (q @ k[:, :, ::2].mT).softmax(-1) @ v[:, :, ::2]


REFUSED: dict[str, tuple[Callable[[], nn.Module], int, str]] = {
    "no attention": (small, 8, "no attention was seen"),
    "windows": (lambda: shrunken("Swin-T"), 36, r"softmax 1 makes weights of shape \(18, 2, 9, 9\), not \(2, heads"),
    "grouped windows": (lambda: shrunken("MaxViT-T"), 48, r"of shape \(2, 16, 2, 9, 9\), not \(2, heads, 9, 9\)"),
    "merged tokens": (lambda: transformer(of_merged_tokens), 8, r"of shape \(2, 2, 5, 3\), not \(2, heads, 3, 3\)"),
    "changed weights": (lambda: transformer(mixed_with_positions), 8, "softmax 1 are changed before they multiply"),
}


@pytest.mark.parametrize("case", REFUSED)
@every_method
def test_other_networks_are_refused_by_place_and_with_a_way_out(method: Attributor, case: str) -> None:
    network, size, place = REFUSED[case]
    with pytest.raises(UnsupportedOperation, match=f"{place}.*; explain a vision transformer with global attention"):
        method(network(), normal(2, 3, size, size), TARGET)


@every_method
def test_tokens_that_lie_on_no_grid_are_refused(method: Attributor) -> None:
    class Behind(Transformer):
        def forward(self, inputs: Tensor) -> Tensor:
            patches = self.patches(inputs).flatten(2).transpose(1, 2)
            tokens = torch.cat([patches, self.extra.expand(len(inputs), -1, -1)], 1)
            logits: Tensor = self.head(self.blocks(tokens)[:, -1])
            return logits

    with torch.random.fork_rng(devices=[]):
        network = Behind(None, 1, n_extra=1, read=slice(0, 2)).double()
    with pytest.raises(UnsupportedOperation, match="do not lie on a grid"):
        method(network, X, TARGET)
