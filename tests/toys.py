"""Small networks, images and the demo's samples, shared by tests; and a portrait of all that must be left as found."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from attacks.types import Model, Samples
from pipeline.demo.networks import MEAN, STD, load
from pipeline.demo.shapes import CLASSES, TEST_SEED, scene

N = TypeVar("N", bound=nn.Module)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generators(n: int, seed: int = 0) -> list[torch.Generator]:
    """One stream for each of n rows."""
    return [generator(1000 * seed + row) for row in range(n)]


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def uniform(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(shape, generator=generator(seed), dtype=dtype)


def classes(n: int, n_classes: int = 4) -> Tensor:
    """0, 1, 2, ... again and again."""
    return torch.arange(n) % n_classes


@torch.no_grad()
def shaken(network: N, seed: int = 0) -> N:
    """The network in evaluation mode, its biases and batch norms moved far from their defaults."""
    draw = generator(seed)
    for module in network.modules():
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            bias.copy_(0.3 * torch.randn(bias.shape, generator=draw))
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
            module.weight.copy_(0.5 + torch.rand(module.weight.shape, generator=draw))
            module.running_mean.copy_(0.3 * torch.randn(module.running_mean.shape, generator=draw))
            module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=draw))
    return network.eval()


class Small(nn.Module):
    """Strided convolution, batch norm, max pooling, a residual block, global average pooling: one of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 5, 3, stride=(1, 2), padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2, stride=1)
        )
        self.branch = nn.Sequential(nn.Conv2d(5, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5))
        self.relu = nn.ReLU()
        self.head = nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        stem = self.stem(inputs)
        logits: Tensor = self.head(self.relu(self.branch(stem) + stem).mean((2, 3)))
        return logits


def small(seed: int = 0) -> Small:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return shaken(Small(), seed).double()


def tiny_transformer(seed: int = 0, size: int = 8, patch_size: int = 4, n_classes: int = 4) -> VisionTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = VisionTransformer(
            image_size=size,
            patch_size=patch_size,
            num_layers=3,
            num_heads=2,
            hidden_dim=6,
            mlp_dim=8,
            num_classes=n_classes,
        )
        nn.init.normal_(network.heads.get_parameter("head.weight"))
    return network.double().eval()


@cache
def demo_transformer(seed: int) -> nn.Module:
    """Random weights, for the demo's pictures and classes."""
    return tiny_transformer(seed, 48, 8, len(CLASSES)).float().requires_grad_(False)


@cache
def demo_network(name: str) -> nn.Module:
    return load(name).requires_grad_(False)


def demo_model(name: str) -> Model:
    """The demo network with its normalisation: images in [0, 1] -> logits."""
    return Model(demo_network(name), MEAN, STD).eval()


def demo_samples(n: int, start: int = 0) -> Samples:
    """Test pictures of the demo, one class after the other; each is to be moved towards the next."""
    scenes = [scene(TEST_SEED, start + row) for row in range(n + 1)]
    images = torch.stack([torch.from_numpy(shot.image) for shot in scenes])
    label = torch.tensor([shot.label for shot in scenes])
    masks = torch.stack([torch.from_numpy(shot.full) for shot in scenes])
    assert len(CLASSES) > 1
    return Samples(images[:n], label[:n], label[:n], images[1:], label[1:], masks[:n])


def demo_inputs(n: int, start: int = 0) -> tuple[Tensor, Tensor]:
    """Normalised demo pictures and their classes."""
    samples = demo_samples(n, start)
    return demo_model("vgg").normalise(samples.images), samples.label


def portrait(network: nn.Module, *tensors: Tensor) -> dict[str, Any]:
    """All that an explanation or an attack must leave as it was, by value."""
    modules = dict(network.named_modules())
    held = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    held |= {f"argument {k}": tensor for k, tensor in enumerate(tensors)}
    return {
        "modes": {name: module.training for name, module in modules.items()},
        "hooks": {name: [list(getattr(module, kind)) for kind in HOOKS] for name, module in modules.items()},
        "classes": {name: type(module) for name, module in modules.items()},
        "requires_grad": {name: tensor.requires_grad for name, tensor in held.items()},
        "grad": {name: None if tensor.grad is None else tensor.grad.tolist() for name, tensor in held.items()},
        "values": {name: tensor.detach().double().sum().item() for name, tensor in held.items()},
        "versions": {name: None if tensor.is_inference() else tensor._version for name, tensor in held.items()},
        "random": (torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
    }


@contextmanager
def left_as_found(network: nn.Module, *tensors: Tensor) -> Iterator[None]:
    """Asserts that what runs inside changes nothing of the network, the tensors and the global state."""
    before = portrait(network, *tensors)
    yield
    after = portrait(network, *tensors)
    for name, value in before.items():
        assert after[name] == value, name


def relative_error(result: Tensor, expected: Tensor) -> float:
    """Largest difference, in units of the largest value expected."""
    return float((result - expected).abs().max() / expected.abs().max())


def rows(samples: Samples, which: Sequence[int]) -> Samples:
    """Some rows of a tile."""
    index = list(which)
    return Samples(
        samples.images[index],
        samples.label[index],
        samples.target[index],
        samples.target_images[index],
        samples.target_images_target[index],
        None if samples.masks is None else samples.masks[index],
    )


class Swish(torch.autograd.Function):
    """The memory-efficient one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        sigmoid = x.sigmoid()
        result: Tensor = gradients[0] * sigmoid * (1 + x * (1 - sigmoid))
        return result
