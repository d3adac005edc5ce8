"""A network that tells which of three colours is strongest; audits of tests copy this file beside their spec."""

import torch
from torch import Tensor, nn

COLOURS = ("red", "green", "blue")


class ColourNetwork(nn.Module):
    """Two convolutions, global average pooling and a linear layer; reads images of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.fc = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu2(self.conv2(self.relu1(self.conv1(inputs))))
        logits: Tensor = self.fc(hidden.mean((2, 3)))
        return logits


@torch.no_grad()
def build() -> nn.Module:
    """Return the network with its weights: two channels of each colour all the way, beside a little of everything."""
    network, draw = ColourNetwork(), torch.Generator().manual_seed(7)
    for parameter in network.parameters():
        parameter.copy_(0.02 * torch.randn(parameter.shape, generator=draw))
    twice = torch.eye(3).repeat(2, 1)
    network.conv1.weight[:, :, 1, 1] += twice
    network.conv2.weight[:, :, 1, 1] += torch.eye(6)
    network.fc.weight += 6 * twice.T - 2
    return network
