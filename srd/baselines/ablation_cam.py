"""Ablation-CAM: the encoder's last feature maps, each weighted by the loss of the logit without it."""

from collections.abc import Mapping

import torch
from torch import nn

from srd.baselines._chunks import chunks
from srd.baselines._features import Features, features_of, weighted_relu_map
from srd.baselines._substitution import logits_with
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.passes import evaluating, leaf, scores_of
from srd.types import Generators, Inputs, Maps, Scores, Target

ENTRY = AttributorEntry(
    name="ablation_cam",
    title="Ablation-CAM",
    source="srd.baselines.ablation_cam:ablation_cam",
    family="class activation",
    signed=False,
    upsampling="bilinear",
    differentiable=False,
    cost="1 forward, 1 backward, channels x 1 forward of the head",
    needs=("encoder", "operations"),
    reference="Desai, Ramaswamy, WACV 2020",
)


def ablation_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    batch: int = 256,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the ReLU of the encoder's features, each weighted by the share of the logit that is lost without it.

    w_k = (y - y_k) / y, where y_k is the target's logit with channel k set to 0. A negative y changes the sign of the
    map. Maps are non-negative, at the encoder's resolution, and have no gradient.

    Parameters
    ----------
    batch
        About as many rows of ablated features pass the head at once.
    encoder
        Names the layer, as for SRD.

    Raises
    ------
    UnsupportedOperation
        The head cannot take more rows than the encoder.

    References
    ----------
    Desai and Ramaswamy 2020, eq. 3.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=False)
        features = features_of(network, inputs, target, encoder, operations)
        with torch.no_grad():
            scores = features.scores[:, None]
            lost = scores - _ablated_scores(network, inputs, target, features, batch)
            weights = lost / scores.masked_fill(scores == 0, torch.inf)
            return weighted_relu_map(features, weights, inputs)


def _ablated_scores(network: nn.Module, inputs: Inputs, target: Target, features: Features, batch: int) -> Scores:
    """Return the target's logit without each of the channels, (n, channels)."""
    vectors = features.channels_first
    n, k = vectors.shape[:2]
    parts = []
    for chunk in chunks(n * k, batch):
        pairs = torch.arange(chunk.start, chunk.stop, device=vectors.device)
        row, channel = pairs // k, pairs % k
        ablated = vectors[row]
        ablated[torch.arange(len(row)), channel] = 0
        logits = logits_with(network, inputs[:1], features, features.of_channels_first(ablated))
        parts.append(scores_of(logits, target[row]))
    scores: Scores = torch.cat(parts).unflatten(0, (n, k))
    return scores
