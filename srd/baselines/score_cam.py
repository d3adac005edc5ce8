"""Score-CAM: the encoder's last feature maps, weighted by the logit of the pixels that each of them leaves visible."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from srd.baselines._chunks import chunks
from srd.baselines._features import features_of, stretch, weighted_relu_map
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.passes import evaluating, leaf, scores_of
from srd.types import Generators, Inputs, Maps, Scores, Target
from srd.upsampling import upsample

ENTRY = AttributorEntry(
    name="score_cam",
    title="Score-CAM",
    source="srd.baselines.score_cam:score_cam",
    family="class activation",
    signed=False,
    upsampling="bilinear",
    differentiable=False,
    cost="1 forward, 1 backward, channels x 1 forward",
    needs=("encoder", "operations"),
    reference="Wang, Wang, Du, Yang, Zhang, Ding, Mardziel, Hu, CVPR workshop 2020",
)


def score_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    batch: int = 32,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the ReLU of the encoder's features, weighted by the softmax of logits over channels.

    The logit of a channel is that of the inputs times its feature map, upsampled bilinearly and stretched to [0, 1]. A
    flat map hides everything. About `batch` masked rows pass the network at once. Maps are non-negative, at the
    encoder's resolution, without a gradient. `encoder` names the layer, as for SRD.

    References
    ----------
    Wang et al. 2020, eq. 9.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=False)
        features = features_of(network, inputs, target, encoder, operations)
        with torch.no_grad():
            maps = features.channels_first
            grids = features.on_grid(maps.flatten(0, 1), inputs).unflatten(0, maps.shape[:2])
            scores = _masked_scores(network, inputs, target, grids, batch)
            return weighted_relu_map(features, scores.softmax(1), inputs)


def _masked_scores(network: nn.Module, inputs: Inputs, target: Target, grids: Tensor, batch: int) -> Scores:
    """Return the target's logit behind each of the feature maps, (n, k). Flat maps hide all and share one pass."""
    scores = scores_of(network(torch.zeros_like(inputs)), target)[:, None].repeat(1, grids.shape[1])
    rows, columns = (grids.amax((2, 3)) > grids.amin((2, 3))).nonzero(as_tuple=True)
    for chunk in chunks(len(rows), batch):
        row, column = rows[chunk.start : chunk.stop], columns[chunk.start : chunk.stop]
        masks = stretch(upsample(grids[row, column], inputs.shape[2:]), (1, 2))
        scores[row, column] = scores_of(network(inputs[row] * masks[:, None]), target[row])
    return scores
