"""torchvision's network families: each in full, and shrunken so that the forward-built reference runs in seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest
import torch
from _pytest.mark import ParameterSet
from torch import Tensor, nn
from torchvision import models
from torchvision.models import mobilenetv2, mobilenetv3
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.regnet import BlockParams
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2
from torchvision.models.vgg import make_layers
from toys import generator

N = TypeVar("N", bound=nn.Module)
Network = Callable[..., nn.Module]


@dataclass(frozen=True)
class Family:
    """`full` as users run it, on square images of `full_size`, and a smaller network of the same class."""

    full: Network
    full_size: int
    shrunken: Network
    shrunken_size: tuple[int, int]
    start: str
    """Module or operation of the shrunken network whose output ends the encoder, with its channels on this axis."""
    channels: int = 1


def small_head(network: N, width: int) -> N:
    """With a classifier of two small layers, as is done for fine-tuning."""
    network.classifier = nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 4))
    return network


def alexnet() -> nn.Module:
    return small_head(models.AlexNet(num_classes=4), 256 * 6 * 6)


def vgg(*, batch_norm: bool) -> nn.Module:
    features = make_layers([8, "M", 12, 12, "M", 16, 16, "M"], batch_norm)
    return small_head(models.VGG(features, num_classes=4, init_weights=False), 16 * 7 * 7)


def resnet(block: type[BasicBlock | Bottleneck] = Bottleneck, **widths: Any) -> nn.Module:
    return models.ResNet(block, [1, 1, 1, 1], num_classes=4, **widths)


def densenet() -> nn.Module:
    return models.DenseNet(growth_rate=6, block_config=(2, 2, 2, 1), num_init_features=8, bn_size=2, num_classes=4)


def mobilenet_v2() -> nn.Module:
    return mobilenetv2.MobileNetV2(num_classes=4, inverted_residual_setting=[[1, 8, 1, 1], [6, 8, 2, 2], [6, 16, 2, 2]])


def mobilenet_v3(*, first_activation: str) -> nn.Module:
    setting = partial(InvertedResidualConfig, dilation=1, width_mult=1.0)
    blocks = [
        setting(8, 3, 16, 8, use_se=True, activation=first_activation, stride=2),
        setting(8, 3, 24, 8, use_se=False, activation="RE", stride=1),
        setting(8, 5, 24, 16, use_se=True, activation="HS", stride=2),
        setting(16, 5, 32, 16, use_se=True, activation="HS", stride=1),
    ]
    return mobilenetv3.MobileNetV3(blocks, last_channel=16, num_classes=4)


def efficientnet() -> nn.Module:
    blocks: list[MBConvConfig | FusedMBConvConfig] = [
        MBConvConfig(1, 3, 1, 8, 8, 1),
        MBConvConfig(4, 3, 2, 8, 8, 2),
        MBConvConfig(4, 5, 2, 8, 16, 2),
    ]
    return models.EfficientNet(blocks, dropout=0.2, num_classes=4, last_channel=24)


def efficientnet_v2() -> nn.Module:
    blocks: list[MBConvConfig | FusedMBConvConfig] = [
        FusedMBConvConfig(1, 3, 1, 8, 8, 1),
        FusedMBConvConfig(4, 3, 2, 8, 8, 2),
        MBConvConfig(4, 3, 2, 8, 16, 2),
    ]
    return models.EfficientNet(blocks, dropout=0.2, num_classes=4, last_channel=24)


def regnet(se_ratio: float | None = None) -> nn.Module:
    params = BlockParams.from_init_params(depth=4, w_0=8, w_a=8.0, w_m=2.0, group_width=4, se_ratio=se_ratio)
    return models.RegNet(params, num_classes=4, stem_width=8)


def convnext() -> nn.Module:
    blocks = [CNBlockConfig(8, 12, 2), CNBlockConfig(12, 16, 1), CNBlockConfig(16, None, 2)]
    return models.ConvNeXt(blocks, num_classes=4)


def vit() -> nn.Module:
    return models.VisionTransformer(
        image_size=40, patch_size=8, num_layers=3, num_heads=3, hidden_dim=12, mlp_dim=20, num_classes=4
    )


def swin(**version: Any) -> nn.Module:
    return models.SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=[3, 3], num_classes=4, **version
    )


def maxvit() -> nn.Module:
    return models.MaxVit(
        input_size=(48, 48),
        stem_channels=8,
        partition_size=3,
        block_channels=[8, 12],
        block_layers=[1, 2],
        head_dim=4,
        stochastic_depth_prob=0.2,
        num_classes=4,
    )


googlenet = partial(models.googlenet, transform_input=True, init_weights=False)
inception = partial(models.inception_v3, transform_input=True, init_weights=False)
swin_v2 = partial(swin, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)

FAMILIES = {
    "AlexNet": Family(models.alexnet, 96, alexnet, (71, 83), "features.11"),
    "VGG-16": Family(models.vgg16, 64, partial(vgg, batch_norm=False), (24, 28), "features.11"),
    "VGG-16 with batch norm": Family(models.vgg16_bn, 64, partial(vgg, batch_norm=True), (24, 28), "features.16"),
    "ResNet-18": Family(models.resnet18, 64, partial(resnet, BasicBlock), (56, 72), "layer4"),
    "ResNet-50": Family(models.resnet50, 64, resnet, (56, 72), "layer4"),
    "ResNeXt-50": Family(models.resnext50_32x4d, 64, partial(resnet, groups=8, width_per_group=4), (56, 72), "layer4"),
    "Wide ResNet-50": Family(models.wide_resnet50_2, 64, partial(resnet, width_per_group=128), (40, 48), "layer4"),
    "DenseNet-121": Family(models.densenet121, 96, densenet, (64, 80), "relu_18"),
    "SqueezeNet": Family(
        models.squeezenet1_1, 96, partial(models.squeezenet1_1, num_classes=4), (48, 56), "features.12"
    ),
    "GoogLeNet": Family(googlenet, 96, partial(googlenet, num_classes=4), (48, 64), "inception5b"),
    "Inception v3": Family(inception, 128, partial(inception, num_classes=4), (75, 107), "Mixed_7c"),
    "MobileNetV2": Family(mobilenetv2.mobilenet_v2, 96, mobilenet_v2, (32, 40), "features.6"),
    "MobileNetV3 small": Family(
        mobilenetv3.mobilenet_v3_small, 96, partial(mobilenet_v3, first_activation="RE"), (32, 40), "features"
    ),
    "MobileNetV3 large": Family(
        mobilenetv3.mobilenet_v3_large, 96, partial(mobilenet_v3, first_activation="HS"), (32, 40), "features"
    ),
    "ShuffleNetV2": Family(
        models.shufflenet_v2_x1_0,
        96,
        partial(models.ShuffleNetV2, [2, 2, 2], [8, 16, 24, 32, 40], num_classes=4),
        (56, 72),
        "conv5",
    ),
    "MNASNet": Family(models.mnasnet1_0, 96, partial(models.MNASNet, 0.1, num_classes=4), (56, 72), "layers"),
    "EfficientNet-B0": Family(models.efficientnet_b0, 96, efficientnet, (32, 40), "features"),
    "EfficientNetV2-S": Family(models.efficientnet_v2_s, 64, efficientnet_v2, (32, 40), "features"),
    "RegNetX": Family(models.regnet_x_400mf, 96, regnet, (48, 64), "trunk_output"),
    "RegNetY": Family(models.regnet_y_400mf, 96, partial(regnet, se_ratio=0.25), (48, 64), "trunk_output"),
    "ConvNeXt-T": Family(models.convnext_tiny, 64, convnext, (40, 56), "features"),
    "ViT-B/16": Family(partial(models.vit_b_16, image_size=64), 64, vit, (40, 40), "encoder.layers.encoder_layer_1", 2),
    "Swin-T": Family(models.swin_t, 64, swin, (36, 44), "norm", 3),
    "Swin V2-T": Family(models.swin_v2_t, 64, swin_v2, (36, 44), "norm", 3),
    "MaxViT-T": Family(models.maxvit_t, 224, maxvit, (48, 48), "blocks.1"),
}


LARGE = {"Wide ResNet-50", "Inception v3"}
"""Even shrunken."""


def slow(name: str) -> ParameterSet:
    """The family as the parameter of a test that is slow."""
    return pytest.param(name, marks=pytest.mark.slow)


def marked(name: str) -> ParameterSet:
    """The family as the parameter of a test of its shrunken network."""
    return slow(name) if name in LARGE else pytest.param(name)


@torch.no_grad()
def randomised(network: N, seed: int = 0) -> N:
    """In evaluation mode, with random weights, and biases, norms and their statistics far from their defaults."""
    draw = generator(seed)
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if name.endswith(("bias", "running_mean", "class_token", "pos_embedding")):
            tensor.copy_(0.3 * torch.randn(tensor.shape, generator=draw))
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=draw))
        elif isinstance(tensor, nn.Parameter):
            tensor.copy_(torch.randn(tensor.shape, generator=draw) * tensor[0].numel() ** -0.5)
    return network.eval()


def full(name: str) -> nn.Module:
    """The whole network, with ten classes."""
    with torch.random.fork_rng(devices=[]):
        return randomised(FAMILIES[name].full(num_classes=10))


def shrunken(name: str) -> nn.Module:
    """In float64, with four classes."""
    with torch.random.fork_rng(devices=[]):
        return randomised(FAMILIES[name].shrunken()).double().requires_grad_(False)


def images(n: int, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    return torch.randn((n, 3, *size), generator=generator(1), dtype=dtype)


def partition(size: tuple[int, int], n_sources: int) -> Tensor:
    """Pixels dealt at random to the sources: (h, w)."""
    return torch.randint(n_sources, size, generator=generator(2))
