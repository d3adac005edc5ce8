"""Every baseline that a library has too, and how far its maps are from that library's own."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial

import libraries
import torch
from families import resnet, vgg
from libraries import Louder, cams, captums_deep_lift, positive_cams
from pytorch_grad_cam import AblationCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM, XGradCAM
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock
from toys import demo_inputs, demo_network, normal, relative_error, shaken

from srd.registry import ATTRIBUTORS

BLACK = torch.tensor([-0.3, 0.1, -0.8])[:, None, None]
EQUAL = 1e-4
Explanation = Callable[[nn.Module, Tensor, Tensor], Tensor]
Subject = tuple[nn.Module, Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A method with options, and what a library has for it: (network, inputs, target) -> maps."""

    method: str
    library: str
    what: str
    theirs: Explanation
    options: Callable[[Tensor], Mapping[str, object]] = lambda _: {}
    """For these inputs."""
    louder: bool = False
    """Whether both explain the logits times 1000."""
    in_double: bool = False
    deviates: Mapping[str, str] | None = None
    """The networks on which the maps differ by more than rounding, each with the cause."""

    def ours(self, network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        maps: Tensor = ATTRIBUTORS[self.method](network, inputs, target, **self.options(inputs))
        return maps


CORNERS = "the library aligns the corners of masks that it enlarges, unlike the method's authors"
COMPARISONS = (
    Comparison("saliency", "captum", "`Saliency(abs=True)`, channels summed", libraries.captums_saliency),
    Comparison("input_x_gradient", "captum", "`InputXGradient`, channels summed", libraries.captums_input_x_gradient),
    Comparison("guided_backprop", "captum", "`GuidedBackprop`, channels summed", libraries.captums_guided_backprop),
    Comparison(
        "integrated_gradients",
        "captum",
        "`IntegratedGradients`, 6 points of `riemann_middle`, channels summed",
        partial(libraries.captums_integrated_gradients, baseline=BLACK),
        options=lambda _: {"points": 6, "baseline": BLACK},
    ),
    Comparison(
        "deep_lift",
        "captum",
        "`DeepLift` from another image, float64, channels summed; a ReLU of its own for each call, a copy before each "
        "max pooling, since its two hooks on one tensor would undo each other",
        lambda network, inputs, target: captums_deep_lift(network, inputs, target, inputs.roll(1, 0)),
        options=lambda inputs: {"baseline": inputs.roll(1, 0)},
        in_double=True,
        deviates={"ResNet": "captum keeps one of several windows of a max pooling that overlap, and is not complete"},
    ),
    Comparison(
        "full_grad",
        "pytorch-grad-cam",
        "`FullGrad`",
        libraries.full_grads,
        louder=True,
        deviates={"VGG with batch norm": "a convolution and its batch norm have one bias here, two there"},
    ),
    Comparison(
        "lrp_z_plus", "zennit", "`ZPlus(zero_params='bias')` in all layers, sums `Norm`", libraries.zennits_z_plus
    ),
    Comparison(
        "lrp_epsilon_plus",
        "zennit",
        "`ZPlus(zero_params='bias')` in convolutions, `Epsilon(1e-6)` in linear layers, sums `Norm`",
        libraries.zennits_epsilon_plus,
    ),
    Comparison("grad_cam", "captum", "`LayerGradCam(relu_attributions=True)`", libraries.captums_grad_cam),
    Comparison("grad_cam", "pytorch-grad-cam", "`GradCAM`", positive_cams(GradCAM)),
    Comparison(
        "grad_cam_plus_plus", "pytorch-grad-cam", "`GradCAMPlusPlus`", positive_cams(GradCAMPlusPlus), louder=True
    ),
    Comparison("xgrad_cam", "pytorch-grad-cam", "`XGradCAM`", positive_cams(XGradCAM), louder=True),
    Comparison("layer_cam", "pytorch-grad-cam", "`LayerCAM`", positive_cams(LayerCAM)),
    Comparison("hires_cam", "pytorch-grad-cam", "`HiResCAM`, negative values kept", partial(cams, HiResCAM)),
    Comparison(
        "score_cam",
        "pytorch-grad-cam",
        "`ScoreCAM`",
        positive_cams(ScoreCAM),
        deviates=dict.fromkeys(["demo VGG", "demo ResNet", "ResNet"], CORNERS),
    ),
    Comparison("score_cam", "pytorch-grad-cam", "`ScoreCAM`, corners not aligned", libraries.score_cams),
    Comparison("ablation_cam", "pytorch-grad-cam", "`AblationCAM`", positive_cams(AblationCAM)),
)
NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    "VGG": partial(vgg, batch_norm=False),
    "VGG with batch norm": partial(vgg, batch_norm=True),
    "ResNet": partial(resnet, BasicBlock),
}
SUBJECTS = ("demo VGG", "demo ResNet", *NETWORKS)


@cache
def subject(name: str) -> Subject:
    """A network in float32, inputs and the classes predicted."""
    if name.startswith("demo "):
        return demo_network(name.removeprefix("demo ").lower()), *demo_inputs(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)  # with another seed the maps of some methods are 0
        network = shaken(NETWORKS[name](), seed=1)
    inputs = normal(2, 3, 64, 56, dtype=torch.float32)
    return network, inputs, network(inputs).argmax(1)


@cache
def deviation(comparison: Comparison, name: str) -> float:
    network, inputs, target = subject(name)
    if comparison.in_double:
        network, inputs = deepcopy(network).double(), inputs.double()
    explained = Louder(network) if comparison.louder else network
    ours, theirs = comparison.ours(explained, inputs, target), comparison.theirs(explained, inputs, target)
    assert bool(theirs.flatten(1).any(1).all()), "a map that is 0 shows nothing"
    return relative_error(ours, theirs)
