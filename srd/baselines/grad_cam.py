"""Grad-CAM: the encoder's last feature maps, weighted by their mean gradients."""

from torch import nn
from torch.nn import functional

from srd.entries import AttributorEntry
from srd.interception import Interception
from srd.passes import evaluating, leaf, scores_of
from srd.rules import SharingRatio
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import by_mean_gradient, on_grid

ENTRY = AttributorEntry(
    name="grad_cam",
    title="Grad-CAM",
    source="srd.baselines.grad_cam:grad_cam",
    family="class activation",
    signed=False,
    coarse=True,
    cost="1 forward, 1 backward",
    needs=("encoder",),
    reference="Selvaraju et al., ICCV 2017",
)


def grad_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    create_graph: bool = False,
) -> Maps:
    """ReLU of the encoder's features weighted by their mean gradients, upsampled bilinearly (Selvaraju et al. 2017).

    Non-negative. `encoder` names the layer as for SRD; by default the last activation with more than one position.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        trace = Interception(inputs, SharingRatio("drop"))
        names = [] if encoder is None else [encoder]
        with trace.watching(network, names) as layers, trace:
            logits = network(inputs)
        scores = scores_of(logits, target)
        end, gradient = trace.encoder(logits, scores, *layers.values(), create_graph=create_graph)
        coarse = by_mean_gradient(end.after, gradient, end.channels).clamp(min=0).squeeze(end.channels)
        size = inputs.shape[2:]
        grid = on_grid(coarse, *size)
        maps = functional.interpolate(grid[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    return maps if create_graph else maps.detach()
