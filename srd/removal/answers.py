"""The answers of a network, asked in batches that depend on nothing but the number of rows."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.baselines._chunks import chunks
from srd.passes import evaluating, scores_of
from srd.types import Inputs, Logits, Target

Answer = Literal["logit", "probability", "kept"]
ANSWERS = get_args(Answer)
"""The target's logit, its softmax, and whether it is the highest logit: 1 or 0."""
ROWS = 32
"""Rows of one batch."""
Answers = Float[Tensor, "n 3"]


def answers(network: nn.Module, inputs: Inputs, target: Target) -> Answers:
    """Return ANSWERS for each row, by its own target or by one for all, without a graph.

    The network reads 32 rows at a time, in evaluation mode; its mode is restored.
    """
    each = target.expand(len(inputs))
    with evaluating(network), torch.no_grad():
        parts = [
            _answers_of(network(inputs[k.start : k.stop].clone()), each[k.start : k.stop])
            for k in chunks(len(inputs), ROWS)
        ]
    return torch.cat(parts)


def _answers_of(logits: Logits, target: Target) -> Answers:
    probability = scores_of(logits.softmax(1), target)
    kept = logits.argmax(1) == target
    return torch.stack([scores_of(logits, target), probability, kept.to(logits.dtype)], 1)
