"""The maps of captum, pytorch-grad-cam and zennit, as the libraries make them before any scaling for display."""

from collections.abc import Callable
from copy import deepcopy
from itertools import cycle
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from captum.attr import (
    DeepLift,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    Saliency,
)
from pytorch_grad_cam import FullGrad, ScoreCAM
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock
from zennit.attribution import Gradient
from zennit.canonizers import AttributeCanonizer, CompositeCanonizer, SequentialMergeBatchNorm
from zennit.composites import LayerMapComposite
from zennit.layer import Sum
from zennit.rules import Epsilon, Norm, Pass, ZPlus
from zennit.torchvision import ResNetBasicBlockCanonizer
from zennit.types import Activation, AvgPool, Convolution, Linear

from pipeline.demo.networks import BasicBlock as DemoBlock

LOUDER = 1000


class Louder(nn.Module):
    """Logits times 1000, beside which the constants that pytorch-grad-cam adds to gradients are nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = LOUDER * self.network(inputs)
        return logits


def last_spatial_activation(network: nn.Module) -> nn.Module:
    """The layer whose output is the encoder's: what SRD ends its encoder with."""
    modules = dict(network.named_modules())
    return (
        next((m for name, m in modules.items() if name.endswith("layer4")), None)
        or [m for m in modules.values() if isinstance(m, nn.ReLU)][-2]
    )


# captum.


def captums(kind: type, network: nn.Module, inputs: Tensor, target: Tensor, **options: Any) -> Tensor:
    """An attribution of the inputs, channels not summed."""
    attributed: Tensor = kind(network).attribute(inputs.clone().requires_grad_(), target=target, **options)
    return attributed.detach().to(inputs.dtype)


def captums_saliency(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return captums(Saliency, network, inputs, target, abs=True).sum(1)


def captums_input_x_gradient(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return captums(InputXGradient, network, inputs, target).sum(1)


def captums_guided_backprop(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return captums(GuidedBackprop, network, inputs, target).sum(1)


def captums_gradient(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return captums(Saliency, network, inputs, target, abs=False)


def captums_integrated_gradients(network: nn.Module, inputs: Tensor, target: Tensor, baseline: Tensor) -> Tensor:
    options = {"baselines": baseline.expand_as(inputs).contiguous(), "n_steps": 6, "method": "riemann_middle"}
    return captums(IntegratedGradients, network, inputs, target, **options).sum(1)


def captums_grad_cam(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    layer = last_spatial_activation(network)
    coarse = LayerGradCam(network, layer).attribute(inputs.clone().requires_grad_(), target, relu_attributions=True)
    maps: Tensor = LayerAttribution.interpolate(coarse, tuple(inputs.shape[2:]), "bilinear")[:, 0]
    return maps.detach()


def captums_deep_lift(network: nn.Module, inputs: Tensor, target: Tensor, baseline: Tensor) -> Tensor:
    baselines = baseline.expand_as(inputs).contiguous()
    return captums(DeepLift, told_apart(network), inputs, target, baselines=baselines).sum(1)


class InTurn(nn.Module):
    """Several activations in the place of one that is called several times, whose calls captum cannot tell apart."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(nn.ReLU() for _ in range(n))
        self._next = cycle(self.each)

    def forward(self, inputs: Tensor) -> Tensor:
        activated: Tensor = next(self._next)(inputs)
        return activated


class Copied(nn.Module):
    """The inputs in a tensor of their own."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.clone()


def told_apart(network: nn.Module) -> nn.Module:
    """The network with a ReLU for each of a residual block's two calls, and nothing else where a pooling reads."""
    network = deepcopy(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, BasicBlock):
            network.set_submodule(f"{name}.relu", InTurn(2))
        if isinstance(module, nn.MaxPool2d):
            network.set_submodule(name, nn.Sequential(Copied(), module))
    return network


# pytorch-grad-cam.


def cams(kind: type[BaseCAM], network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """The library's map of the last spatial activation, before it is stretched to [0, 1]."""
    layer, seen = last_spatial_activation(network), list[Tensor]()
    handle = layer.register_forward_hook(lambda *call: seen.append(call[-1]))
    scores = network(inputs.clone().requires_grad_()).gather(1, target[:, None])
    handle.remove()
    (gradients,) = torch.autograd.grad(scores.sum(), seen)
    targets = [ClassifierOutputTarget(int(index)) for index in target]
    with kind(network, [layer]) as cam, patch("tqdm.tqdm", iter):
        coarse = cam.get_cam_image(inputs, layer, targets, seen[0].detach().numpy(), gradients.numpy(), False)
    grid = torch.from_numpy(np.asarray(coarse))[:, None]
    return functional.interpolate(grid, inputs.shape[2:], mode="bilinear")[:, 0].to(inputs.dtype)


def positive_cams(kind: type[BaseCAM]) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Return the library's maps, with the positive part taken before they are enlarged."""

    def maps(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        class Positive(kind):  # type: ignore[misc]
            def get_cam_image(self, *args: Any, **kwargs: Any) -> Any:
                return np.maximum(super().get_cam_image(*args, **kwargs), 0)

        return cams(Positive, network, inputs, target)

    return maps


def full_grads(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    inputs = inputs.clone().requires_grad_()
    with FullGrad(network, []) as cam:
        cam.activations_and_grads(inputs).gather(1, target[:, None]).sum().backward()
        maps = torch.from_numpy(cam.compute_cam_per_layer(inputs, None, eigen_smooth=False))[:, 0]
    network.zero_grad()
    return maps


def score_cams(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """With masks enlarged as the method's authors do; the library aligns their corners."""
    with patch("torch.nn.UpsamplingBilinear2d", lambda size: nn.Upsample(size, mode="bilinear")):
        return positive_cams(ScoreCAM)(network, inputs, target)


# zennit.


class DemoBlocks(AttributeCanonizer):  # type: ignore[misc]
    """The residual sums of the demo's ResNet, as zennit has them for torchvision's."""

    def __init__(self) -> None:
        super().__init__(lambda _, module: self._sum(module) if isinstance(module, DemoBlock) else None)

    @staticmethod
    def _sum(block: DemoBlock) -> dict[str, Any]:
        add = Sum()

        def forward(inputs: Tensor) -> Tensor:
            hidden = block.bn2(block.conv2(block.relu1(block.bn1(block.conv1(inputs)))))
            output: Tensor = block.relu2(add(torch.stack([block.downsample(inputs), hidden], -1)))
            return output

        return {"forward": forward, "canonizer_sum": add}


z_plus = ZPlus(stabilizer=1e-12, zero_params="bias")


def zennits(network: nn.Module, inputs: Tensor, target: Tensor, in_linear_layers: Any) -> Tensor:
    """z+ in convolutions, biases without a share; batch norms merged."""
    canonizer = CompositeCanonizer([SequentialMergeBatchNorm(), ResNetBasicBlockCanonizer(), DemoBlocks()])
    in_proportion = Norm(stabilizer=1e-12)
    layers = [
        (Activation, Pass()),
        ((AvgPool, Sum), in_proportion),
        (Convolution, z_plus),
        (Linear, in_linear_layers),
    ]
    logits = network(inputs)
    starts = functional.one_hot(target, logits.shape[1])
    with Gradient(network, LayerMapComposite(layer_map=layers, canonizers=[canonizer])) as attributor:
        _, relevance = attributor(inputs.clone().requires_grad_(), starts.to(inputs))
    return relevance.sum(1).detach()  # type: ignore[no-any-return]


def zennits_z_plus(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return zennits(network, inputs, target, z_plus)


def zennits_epsilon_plus(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return zennits(network, inputs, target, Epsilon(epsilon=1e-6))
