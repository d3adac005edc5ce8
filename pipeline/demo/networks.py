"""The two demo networks, a small VGG and a small ResNet, and their shipped weights."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.demo.shapes import CLASSES

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
FOLDER = Path(__file__).parent


class SmallVGG(nn.Module):
    """Convolutions in four stages, each closed by a max-pool, and an MLP head on the flattened 3 x 3 map."""

    def __init__(self) -> None:
        super().__init__()
        stages = [_vgg_stage(3, 16), _vgg_stage(16, 32), _vgg_stage(32, 64, 64), _vgg_stage(64, 96, 96)]
        self.features = nn.Sequential(*[layer for stage in stages for layer in stage])
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(96 * 3 * 3, 128), nn.ReLU(), nn.Linear(128, len(CLASSES))
        )

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(inputs))
        return logits


def _vgg_stage(*widths: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return [*layers, nn.MaxPool2d(2)]


class BasicBlock(nn.Module):
    """Two convolutions beside a shortcut, which projects where the width or the stride changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = _projection(before, after, stride)
        self.relu2 = nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu1(self.bn1(self.conv1(inputs)))
        output: Tensor = self.relu2(self.bn2(self.conv2(hidden)) + self.downsample(inputs))
        return output


def _projection(before: int, after: int, stride: int) -> nn.Sequential:
    if before == after and stride == 1:
        return nn.Sequential()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class SmallResNet(nn.Module):
    """A stem with max-pool, four stages of one basic block, global average pooling of a 6 x 6 map, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = nn.Sequential(BasicBlock(16, 16, stride=1))
        self.layer2 = nn.Sequential(BasicBlock(16, 32, stride=2))
        self.layer3 = nn.Sequential(BasicBlock(32, 64, stride=2))
        self.layer4 = nn.Sequential(BasicBlock(64, 96, stride=1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(96, len(CLASSES))

    def forward(self, inputs: Tensor) -> Tensor:
        stem = self.maxpool(self.relu(self.bn1(self.conv1(inputs))))
        encoded = self.layer4(self.layer3(self.layer2(self.layer1(stem))))
        logits: Tensor = self.fc(self.flatten(self.avgpool(encoded)))
        return logits


def small_vgg() -> nn.Module:
    """Return a VGG for (n, 3, 48, 48) normalised inputs, with random weights; 311 thousand parameters."""
    return SmallVGG()


def small_resnet() -> nn.Module:
    """Return a ResNet for (n, 3, 48, 48) normalised inputs, with random weights; 223 thousand parameters."""
    return SmallResNet()


NETWORKS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType({"vgg": small_vgg, "resnet": small_resnet})


def load(name: str) -> nn.Module:
    """Load the shipped network `name`, a key of `NETWORKS`: float32, on the CPU, in evaluation mode.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    if name not in NETWORKS:
        raise ValueError(f"there is no demo network {name!r}; there are {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):  # the initial weights are drawn, then replaced
        network = NETWORKS[name]()
    network.load_state_dict(load_file(weights_file(name)))
    return network.eval()


def weights_file(name: str, folder: Path = FOLDER) -> Path:
    """Return the path of the float16 weights of `name`."""
    return folder / f"{name}.safetensors"


def normalise(pictures: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """Return (pictures - mean) / std, channel by channel of (n, c, h, w)."""
    return (pictures - pictures.new_tensor(mean).view(-1, 1, 1)) / pictures.new_tensor(std).view(-1, 1, 1)
