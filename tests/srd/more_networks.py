"""Networks beside torchvision's: timm's, with random weights, and trained ones that lie where SRD_AUDIT_REAL says."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from families import images, randomised
from measured_families import CONSERVING, started, surroundings, unexplained
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.functional import normalize, pil_to_tensor

from srd.decomposition import account, decompose
from srd.entries import DeclaredRule
from srd.metrics.pearson import pearson

HOME = Path(os.environ.get("SRD_AUDIT_REAL", ""))
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5,) * 3, (0.5,) * 3
GRN: Mapping[str, DeclaredRule] = {"torch.Tensor.norm": "gate", "torch.addcmul": "linear"}


@dataclass(frozen=True)
class Timm:
    """A network of timm by its name there, with ten classes and random weights, on random images."""

    name: str
    operations: Mapping[str, DeclaredRule] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> tuple[nn.Module, Tensor]:
        """Return the network and two images."""
        network = import_module("timm").create_model(self.name, num_classes=10, **self.options)
        size = self.options.get("img_size", network.default_cfg["input_size"][-1])
        return randomised(network).requires_grad_(False), images(2, (size, size), torch.float32)


@dataclass(frozen=True)
class Real:
    """A trained network: `build` is a file and a function of it, or a function that needs no file; `weights` a file."""

    build: str | Callable[[], nn.Module]
    weights: str
    images: str
    statistics: tuple[tuple[float, ...], tuple[float, ...]]
    size: int
    operations: Mapping[str, DeclaredRule] = field(default_factory=dict)

    def load(self) -> tuple[nn.Module, Tensor]:
        """Return the network and two of its images."""
        network = (_builder(*self.build.split(":")) if isinstance(self.build, str) else self.build)()
        if self.weights:
            network.load_state_dict({key.removeprefix("module."): each.float() for key, each in self._state().items()})
        files = sorted(HOME.glob(f"{self.images}/*/*.*"))
        opened = (Image.open(file).convert("RGB").resize((self.size, self.size)) for file in (files[0], files[-1]))
        pixels = torch.stack([pil_to_tensor(image) for image in opened]) / 255
        return network.eval().requires_grad_(False), normalize(
            pixels, list(self.statistics[0]), list(self.statistics[1])
        )

    def _state(self) -> dict[str, Tensor]:
        file = HOME / self.weights
        if file.is_dir():
            shards = [
                import_module("safetensors.torch").load_file(shard) for shard in sorted(file.glob("*.safetensors"))
            ]
            return {key: tensor for shard in shards for key, tensor in shard.items()}
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        tensors: dict[str, Tensor] = state.get("state_dict", state)
        return tensors


def can_be_measured(name: str) -> bool:
    """Whether timm is installed, or the folder of trained networks is named, where a network needs it."""
    network = NETWORKS[name]
    needs_timm = isinstance(network, Timm) or "Lite" in name
    there = isinstance(network, Timm) or (bool(HOME.name) and HOME.is_dir())
    return there and (not needs_timm or importlib.util.find_spec("timm") is not None)


def _builder(file: str, function: str) -> Callable[[], nn.Module]:
    spec = importlib.util.spec_from_file_location(Path(file).stem, HOME / file)
    if spec is None or spec.loader is None:
        raise ImportError(file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build: Callable[[], nn.Module] = getattr(module, function)
    return build


def of_torchvision(name: str) -> Callable[[], nn.Module]:
    return partial(getattr(import_module("torchvision.models"), name))


def of_timm(name: str) -> nn.Module:
    network: nn.Module = import_module("timm").create_model(name)
    return network


NETWORKS: dict[str, Timm | Real] = {
    **{
        f"timm {name}": Timm(name)
        for name in (
            "resnet50",
            "seresnet50",
            "resnetv2_50",
            "res2net50_26w_4s",
            "densenet121",
            "inception_v4",
            "hrnet_w18_small",
            "efficientnet_b0",
            "tf_efficientnetv2_s",
            "mobilenetv3_large_100",
            "mobilenetv4_conv_small",
            "ghostnet_100",
            "regnety_002",
            "convnext_tiny",
            "vit_small_patch16_224",
            "deit_tiny_distilled_patch16_224",
            "beit_base_patch16_224",
            "swin_tiny_patch4_window7_224",
        )
    },
    "timm convnextv2_tiny": Timm("convnextv2_tiny", GRN),
    "timm vit_small_patch14_reg4_dinov2": Timm("vit_small_patch14_reg4_dinov2", {}, {"img_size": 224}),
    "ResNet-20, CIFAR-10": Real(
        "cifar10/cifar_resnet.py:resnet20", "cifar10/resnet20.pt", "cifar10/images", IMAGENET, 32
    ),
    "ResNet-32, CIFAR-10": Real(
        "cifar10/cifar_nets.py:resnet32", "cifar10/resnet32-d509ac18.th", "cifar10/images", IMAGENET, 32
    ),
    "resnet2b, CIFAR-10": Real(
        "cifar10/cifar_nets.py:resnet2b",
        "cifar10/resnet2b.pt",
        "cifar10/images",
        ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
        32,
    ),
    "resnet4b, CIFAR-10": Real(
        "cifar10/cifar_nets.py:resnet4b",
        "cifar10/resnet4b.pt",
        "cifar10/images",
        ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
        32,
    ),
    "ViT, CIFAR-10": Real(
        "cifar10/cifar_nets.py:vit_pgd",
        "cifar10/vit_pgd_2_3_16.pt",
        "cifar10/images",
        ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        32,
    ),
    "MobileNetV2, ImageNet": Real(
        "imagenet/mobilenet_v2.py:mobilenet_v2", "imagenet/mobilenet_v2_fp16.pt", "imagenet/images", HALF, 224
    ),
    "ResNet-18, ImageNet": Real("imagenet/resnet_pq.py:resnet18", "", "imagenet/images", IMAGENET, 224),
    "ResNet-50, ImageNet": Real("imagenet/resnet_pq.py:resnet50", "", "imagenet/images", IMAGENET, 224),
    "SqueezeNet, ImageNet": Real(
        of_torchvision("squeezenet1_0"), "imagenet/squeezenet1_0_fp16.pt", "imagenet/images", IMAGENET, 224
    ),
    "EfficientNet-Lite0, ImageNet": Real(
        partial(of_timm, "tf_efficientnet_lite0"), "imagenet/efficientnet_lite0", "imagenet/images", HALF, 224
    ),
    "spatial transformer, GTSRB": Real(
        "gtsrb/gtsrb_stn.py:build",
        "gtsrb/gtsrb_stn.pt",
        "gtsrb/images",
        ((0.3337, 0.3064, 0.3171), (0.2672, 0.2564, 0.2629)),
        32,
    ),
}


@dataclass(frozen=True)
class Shown:
    """What a network shows; errors in units of all starting relevance."""

    size: int
    unexplained: float
    residual: float
    correlation: float
    """Of the maps of the class predicted and of the runner-up."""
    as_found: bool


def measured(name: str) -> Shown:
    subject = NETWORKS[name]
    network, x = subject.load()
    with torch.no_grad():
        first, second = network(x).topk(2).indices.T
    before = surroundings(network, x)
    books = [
        account(network, x, first, bias=rule, contrast="none", operations=subject.operations) for rule in CONSERVING
    ]
    after = surroundings(network, x)
    both = torch.stack([first[0], second[0]])
    maps = decompose(network, x[:1].expand(2, -1, -1, -1), both, operations=subject.operations)
    return Shown(
        x.shape[-1],
        max(map(unexplained, books)),
        float((books[0].lost.abs() / started(books[0])).max()),
        float(pearson(maps[:1], maps[1:])),
        before == after,
    )
