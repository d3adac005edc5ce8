"""The module that returns the output of the encoder is that at which SRD starts."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from pipeline.demo import networks
from srd.encoder_module import encoder_module
from srd.errors import ModelError, UnsupportedOperation
from srd.module_output import reading


def of(network: nn.Module, side: int = 64, encoder: str | None = None) -> str:
    inputs = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return encoder_module(network.eval(), inputs, torch.tensor([1]), encoder=encoder)


@pytest.mark.parametrize(
    ("network", "side", "module"),
    [
        (networks.small_resnet(), 48, "layer4.0.relu2"),
        (models.resnet18(num_classes=5), 64, "layer4.1.relu"),
        (models.densenet121(num_classes=5), 64, "features.norm5"),
        (models.vit_b_32(num_classes=5), 224, "encoder.ln"),
    ],
    ids=["demo", "resnet18", "densenet121", "vit"],
)
def test_it_is_the_module_that_ends_the_encoder(network: nn.Module, side: int, module: str) -> None:
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.normal_(0, 0.1, generator=generator)  # else it changes nothing
    assert of(network, side) == module


class Functional(nn.Module):
    """A block that returns what a function made, as those of many networks for CIFAR do."""

    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.fc = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.block(inputs).mean((2, 3)))
        return logits


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.relu(self.conv(inputs), inplace=True)


def test_a_block_that_ends_in_a_function_is_found() -> None:
    torch.manual_seed(0)
    assert of(Functional()) == "block"


def test_a_named_encoder_is_taken() -> None:
    assert of(networks.load("resnet"), 48, encoder="layer3") == "layer3.0.relu2"
    with pytest.raises(ModelError, match="no module of this name"):
        of(networks.load("resnet"), 48, encoder="layer9")


def test_what_has_no_encoder_is_refused() -> None:
    with pytest.raises(UnsupportedOperation):
        of(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 3)))


def test_reading_holds_the_last_output_before_anything_writes_into_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)).eval()
    inputs = torch.rand(2, 3, 8, 8)
    with torch.no_grad(), reading(network, "0") as held:
        plain = network(inputs)
        assert torch.equal(held[0], network[0](inputs))
    assert torch.equal(plain, network(inputs))
    assert not network[0]._forward_hooks
