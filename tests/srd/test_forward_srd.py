"""The forward-built reference for traced networks: against the definition in loops, and against closed forms."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from families import FAMILIES, images, partition, randomised, shrunken
from forward_attention import shifted_window_attention
from forward_srd import BiasRule, Contrast, ForwardSrd, forward_built
from slow_srd import example_networks, slow_srd
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import swin_transformer
from toys import generator, normal, relative_error

BIAS_RULES: tuple[BiasRule, ...] = get_args(BiasRule)
CONTRASTS: tuple[Contrast, ...] = get_args(Contrast)
OF_NO_FAMILY = frozenset({"written_out", "transposed", "resized", "warped", "pooled_and_written"})
"""Examples of operations that no family has: the definition that goes forward lacks them, that in loops has them."""
EXAMPLES = {name: make for name, make in example_networks().items() if name not in OF_NO_FAMILY}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("bias", BIAS_RULES)
def test_it_equals_the_definition_in_loops(name: str, bias: BiasRule) -> None:
    draw = generator(0)
    network = EXAMPLES[name](draw)
    image = torch.randn(network.image_shape, generator=draw, dtype=torch.float64)
    start = forward_built(nn.Sequential(network.encoder, network.head), image, 1, "0", bias=bias)
    for contrast in CONTRASTS:
        result = start.explained(contrast)
        slow = slow_srd(network.encoder, network.head, image, 1, bias=bias, contrast=contrast)
        assert relative_error(result.saliency, torch.from_numpy(slow.map).flatten()) <= 1e-11
        assert relative_error(result.relevance, torch.from_numpy(slow.relevance).flatten()) <= 1e-11
        assert result.lost == pytest.approx(slow.lost, rel=0, abs=1e-11 * np.abs(slow.map).sum())


@pytest.mark.parametrize("name", ["ConvNeXt-T", "ViT-B/16", "Swin-T", "Swin V2-T", "MaxViT-T"])
def test_attention_and_norms_as_it_defines_them_are_those_of_the_network(name: str) -> None:
    family, network = FAMILIES[name], shrunken(name)
    x, labels = images(1, family.shrunken_size, torch.float64), partition(family.shrunken_size, 2)
    start = forward_built(network, x[0], 1, family.start, channels=family.channels, partition=labels)
    assert relative_error(start.shared.value, start.value) <= 1e-12
    assert relative_error(start.logits, network(x)[0]) <= 1e-12


@pytest.mark.parametrize("size", [(2, 11), (9, 2), (3, 3), (7, 8)])
@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize(
    "version", [swin_transformer.ShiftedWindowAttention, swin_transformer.ShiftedWindowAttentionV2]
)
def test_attention_in_shifted_windows_is_that_of_torchvision(
    version: type[nn.Module], size: tuple[int, int], shift: int
) -> None:
    layer: Any = randomised(version(dim=8, window_size=[3, 3], shift_size=[shift, shift], num_heads=2)).double()
    x = normal(1, *size, 8)
    attention = shifted_window_attention(
        x,
        layer.qkv.weight,
        layer.proj.weight,
        layer.get_relative_position_bias(),
        [3, 3],
        2,
        [shift, shift],
        layer.qkv.bias,
        layer.proj.bias,
        getattr(layer, "logit_scale", None),
    )
    result = attention(x, functional.linear, lambda function, tokens: function(tokens))
    assert relative_error(result.detach(), layer(x).detach()) <= 1e-12


# Closed forms, on networks with tokens.

IMAGE = normal(3, 4, 6)
PAIRS = torch.arange(12).repeat_interleave(2).reshape(4, 6)


class Tokens(nn.Module):
    """Pairs of pixels as tokens of six channels, then steps; logits are four weighted sums of all that comes out."""

    def __init__(self, *steps: nn.Module, n_tokens: int = 12) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(3, 6, (1, 2), stride=(1, 2), bias=False)
        self.steps: Any = nn.Sequential(*steps)
        self.readout = nn.Parameter(torch.empty(4, 1, n_tokens, 6))
        self.double().requires_grad_(False).eval()
        for seed, parameter in enumerate(self.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=seed + 1) / 2)

    def embedded(self, inputs: Tensor) -> Tensor:
        tokens: Tensor = self.embedding(inputs).flatten(2).transpose(1, 2)
        return tokens

    def read(self, tokens: Tensor) -> Tensor:
        return (tokens * self.readout).sum((2, 3)).transpose(0, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.read(self.steps(self.embedded(inputs)))


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, bias=False, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        attended: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return attended


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gate(x.mean(1, keepdim=True))) * x


class Added(nn.Module):
    """Position embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.empty(1, 12, 6))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.constant


class Joined(nn.Module):
    """Class token."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.empty(1, 1, 6))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.constant, x], dim=1)


def explained(
    network: nn.Module, *, bias: BiasRule = "norm", labels: Tensor | None = None, contrast: Contrast = "none"
) -> ForwardSrd:
    return forward_built(network, IMAGE, 1, "steps", channels=2, bias=bias, partition=labels).explained(contrast)


def held_norm(network: Tokens, x: Tensor) -> Callable[[Tensor], Tensor]:
    norm = network.steps[0]
    deviation = (x.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return lambda y: norm.weight * (y - y.mean(-1, keepdim=True)) / deviation


def held_attention(network: Tokens, x: Tensor) -> Callable[[Tensor], Tensor]:
    layer = network.steps[0].attention
    _, weights = layer(x, x, x, average_attn_weights=False)
    value = layer.in_proj_weight[12:]
    return lambda y: layer.out_proj(
        torch.cat([weights[:, head] @ (y @ value.T)[..., 3 * head : 3 * head + 3] for head in range(2)], -1)
    )


def held_gate(network: Tokens, x: Tensor) -> Callable[[Tensor], Tensor]:
    gate = network.steps[0].gate(x.mean(1, keepdim=True)).sigmoid()
    return lambda y: gate * y


@pytest.mark.parametrize(
    ("step", "held"),
    [
        (lambda: nn.LayerNorm(6, bias=False), held_norm),
        (SelfAttention, held_attention),
        (Gate, held_gate),
        (lambda: nn.Linear(6, 6, bias=False), lambda network, _: network.steps),
    ],
    ids=["layer norm", "attention", "gate", "linear"],
)
def test_without_activations_and_biases_it_is_input_times_gradient_with_constants_held(
    step: Callable[[], nn.Module], held: Callable[[Tokens, Tensor], Callable[[Tensor], Tensor]]
) -> None:
    network, x = Tokens(step()), IMAGE[None].clone().requires_grad_()
    linear = held(network, network.embedded(x).detach())
    logits = network.read(linear(network.embedded(x)))
    assert relative_error(logits.detach(), network(x.detach())) <= 1e-12
    (gradient,) = torch.autograd.grad(logits[0, 1], x)
    assert relative_error(explained(network).saliency, (IMAGE * gradient[0]).sum(0).flatten()) <= 1e-12


TOKENWISE = (nn.LayerNorm(6), nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 6))


@pytest.mark.parametrize("bias", ["norm", "ratio", "uniform"])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_saliency_of_a_tokenwise_network_is_the_relevance_of_the_token(bias: BiasRule, contrast: Contrast) -> None:
    result = explained(Tokens(*TOKENWISE), bias=bias, labels=PAIRS, contrast=contrast)
    assert relative_error(result.saliency, result.relevance) <= 1e-12
    assert result.lost == pytest.approx(0, abs=1e-12)


def test_a_dropped_bias_is_lost() -> None:
    network = Tokens(nn.Linear(6, 6))
    expected = float((network.steps[0].bias * network.readout[1]).sum())
    assert explained(network, bias="drop").lost == pytest.approx(expected, rel=1e-12)


def test_added_and_joined_constants_are_lost() -> None:
    network = Tokens(Added(), Joined(), n_tokens=13)
    added, joined = (step.constant for step in network.steps)
    expected = float((torch.cat([joined, added], 1) * network.readout[1]).sum())
    assert explained(network).lost == pytest.approx(expected, rel=1e-12)


def test_contrast_takes_the_mean_over_all_tokens_from_the_relevance() -> None:
    none, mean = (explained(Tokens(*TOKENWISE), labels=PAIRS, contrast=contrast) for contrast in CONTRASTS)
    assert relative_error(mean.relevance, none.relevance - none.relevance.mean()) <= 1e-12


@pytest.mark.parametrize("bias", BIAS_RULES)
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_the_saliency_of_a_partition_is_the_sum_over_its_pixels(bias: BiasRule, contrast: Contrast) -> None:
    network, labels = Tokens(SelfAttention(), *TOKENWISE), partition((4, 6), 3)
    fine = explained(network, bias=bias, contrast=contrast).saliency
    coarse = explained(network, bias=bias, contrast=contrast, labels=labels).saliency
    assert relative_error(coarse, torch.bincount(labels.flatten(), fine)) <= 1e-12


# Refusals.


class Squared(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x


class Accumulated(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(1)


class Moved(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x.transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize(
    ("step", "word"), [(Squared(), "mul"), (Accumulated(), "cumsum"), (Moved(), "transpose")], ids=str
)
def test_what_has_no_definition_is_refused(step: nn.Module, word: str) -> None:
    with pytest.raises(NotImplementedError, match=word):
        explained(Tokens(step, nn.Identity()))


def test_an_unknown_start_is_refused() -> None:
    with pytest.raises(ValueError, match="middle"):
        forward_built(Tokens(), IMAGE, 1, "middle")
