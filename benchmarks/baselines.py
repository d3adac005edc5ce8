"""Compare the time of each baseline with the same method of captum, pytorch-grad-cam or zennit: ResNet-18, CPU only.

Prints a Markdown table: seconds, and ours over theirs, or over the bare passes that a method cannot do without. Both
take turns in one process; ratios are taken within a turn. Libraries are called as their users call them, with the
options that make their maps those of docs/baselines.md. captum's DeepLIFT refuses a network that calls a ReLU twice.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from functools import partial
from io import StringIO
from typing import Any

import torch
from captum.attr import (
    GradientShap,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    NoiseTunnel,
    Saliency,
)
from pytorch_grad_cam import (
    AblationCAM,
    FullGrad,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional
from zennit.attribution import Gradient
from zennit.composites import EpsilonPlus
from zennit.torchvision import ResNetCanonizer

from benchmarks.measuring import CPU, machine, network_of, ratio, time_in_turns
from srd.registry import ATTRIBUTORS

SIZE, SAMPLES, ROWS = 224, 16, 32
CHANNELS = 512  # channels of the encoder
SLOW = ("score_cam", "ablation_cam")
Competitor = Callable[[], object]


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    network = network_of("resnet18")
    print(f"{machine(CPU)}, torch {torch.__version__}, {date.today()}, ResNet-18, {SIZE}x{SIZE}.\n")
    print("| method | batch | s | beside | s | ours over it | quartiles | n |")
    print("|---|---|---|---|---|---|---|---|")
    for batch in arguments.batches:
        inputs = torch.randn(batch, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
        target = torch.zeros(batch, dtype=torch.int64)
        for name, others in _others(network, inputs, target).items():
            if name not in SLOW or batch <= arguments.slow_up_to:
                rounds = arguments.slow_rounds if name in SLOW else arguments.rounds
                _print_lines(name, batch, {"ours": _ours(name, network, inputs, target)} | others, rounds)


def _print_lines(name: str, batch: int, competitors: Mapping[str, Competitor], rounds: int) -> None:
    seconds = time_in_turns(competitors, rounds, CPU)
    own = seconds.pop("ours")
    for other, theirs in seconds.items():
        low, middle, high = ratio(own, theirs)
        medians = statistics.median(own), other, statistics.median(theirs)
        cells = "{:.3f} | {} | {:.3f}".format(*medians)
        print(
            f"| {ATTRIBUTORS[name].title} | {batch} | {cells} | {middle:.2f} | {low:.2f} to {high:.2f} | {rounds} |",
            flush=True,
        )


def _ours(name: str, network: nn.Module, inputs: Tensor, target: Tensor) -> Competitor:
    entry = ATTRIBUTORS[name]
    options = {"points": SAMPLES} if "points" in entry.options else {}
    options |= {"samples": SAMPLES} if "samples" in entry.options else {}
    generators = [torch.Generator().manual_seed(row) for row in range(len(inputs))]
    return lambda: entry(network, inputs, target, generators, **options)


def _others(network: nn.Module, inputs: Tensor, target: Tensor) -> dict[str, dict[str, Competitor]]:
    """Return the methods that each of ours is compared with, by name."""
    cam = partial(_cam, network, inputs, target)
    return {
        "saliency": {"captum": _captum(Saliency, network, inputs, target)},
        "input_x_gradient": {"captum": _captum(InputXGradient, network, inputs, target)},
        "guided_backprop": {"captum": _captum(GuidedBackprop, network, inputs, target)},
        "integrated_gradients": {
            "captum": _captum(
                IntegratedGradients,
                network,
                inputs,
                target,
                n_steps=SAMPLES,
                method="riemann_middle",
                internal_batch_size=ROWS,
            ),
            "its passes": partial(_passes, network, inputs, target),
        },
        "smooth_grad": {
            "captum": _captum(
                lambda network: NoiseTunnel(Saliency(network)),
                network,
                inputs,
                target,
                nt_samples=SAMPLES,
                nt_samples_batch_size=max(1, ROWS // len(inputs)),
                stdevs=0.15,
                abs=False,
            ),
            "its passes": partial(_passes, network, inputs, target),
        },
        "expected_gradients": {
            "captum": _captum(
                GradientShap, network, inputs, target, baselines=torch.zeros_like(inputs), n_samples=SAMPLES
            ),
            "its passes": partial(_passes, network, inputs, target),
        },
        "full_grad": {"pytorch-grad-cam": cam(FullGrad)},
        "lrp_epsilon_plus": {"zennit": partial(_zennit, network, inputs, target)},
        "grad_cam": {
            "captum": partial(_captums_grad_cam, network, inputs, target),
            "pytorch-grad-cam": cam(GradCAM),
        },
        "grad_cam_plus_plus": {"pytorch-grad-cam": cam(GradCAMPlusPlus)},
        "xgrad_cam": {"pytorch-grad-cam": cam(XGradCAM)},
        "hires_cam": {"pytorch-grad-cam": cam(HiResCAM)},
        "layer_cam": {"pytorch-grad-cam": cam(LayerCAM)},
        "ablation_cam": {"pytorch-grad-cam": cam(AblationCAM)},
        "score_cam": {
            "pytorch-grad-cam": cam(ScoreCAM),
            "its passes": partial(_forward_passes, network, inputs),
        },
    }


def _captum(kind: Callable[..., Any], network: nn.Module, inputs: Tensor, target: Tensor, **options: Any) -> Competitor:
    return lambda: kind(network).attribute(inputs.clone().requires_grad_(), target=target, **options)


def _captums_grad_cam(network: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    coarse = LayerGradCam(network, network.get_submodule("layer4")).attribute(inputs, target, relu_attributions=True)
    maps: Tensor = LayerAttribution.interpolate(coarse, (SIZE, SIZE), "bilinear")
    return maps


def _cam(network: nn.Module, inputs: Tensor, target: Tensor, kind: type[BaseCAM]) -> Competitor:
    targets = [ClassifierOutputTarget(int(index)) for index in target]

    def run() -> object:
        with (
            redirect_stdout(StringIO()),
            redirect_stderr(StringIO()),
            kind(network, [network.get_submodule("layer4")]) as cam,
        ):
            return cam(inputs, targets)

    return run


def _zennit(network: nn.Module, inputs: Tensor, target: Tensor) -> object:
    starts = functional.one_hot(target, 1000).to(inputs)
    with Gradient(network, EpsilonPlus(zero_params="bias", canonizers=[ResNetCanonizer()])) as attributor:
        return attributor(inputs.clone().requires_grad_(), starts)


def _passes(network: nn.Module, inputs: Tensor, target: Tensor) -> None:
    """Compute the gradients of `SAMPLES` copies of the inputs, and nothing else."""
    for part in inputs.repeat(SAMPLES, 1, 1, 1).split(ROWS):
        leaf = part.clone().requires_grad_()
        torch.autograd.grad(network(leaf)[:, int(target[0])].sum(), leaf)


def _forward_passes(network: nn.Module, inputs: Tensor) -> None:
    """Compute the logits of as many copies of the inputs as there are channels, and nothing else."""
    with torch.no_grad():
        for part in inputs.repeat(CHANNELS, 1, 1, 1).split(ROWS):
            network(part)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow-rounds", type=int, default=3, help="of Score-CAM and Ablation-CAM")
    parser.add_argument("--slow-up-to", type=int, default=1, help="largest batch of Score-CAM and Ablation-CAM")
    return parser.parse_args()


if __name__ == "__main__":
    main()
