"""Attacks on the explanation: the prediction stays, the map moves."""

from contextlib import AbstractContextManager
from functools import partial

import torch

from attacks.balls import Linf
from attacks.explanations.ascent import Ascent
from attacks.explanations.objectives import MovedWithPredictionKept, MoveMap
from attacks.types import Images, Model, Samples
from srd.passes import evaluating
from srd.surrogates import softplus
from srd.types import Attributor, Generators

SHARPNESS = (10.0, 100.0)  # softplus beta at the first and the last step (Dombrowski et al. 2019, section 2)


def manipulate(
    model: Model,
    samples: Samples,
    strength: float,
    generators: Generators,
    *,
    attributor: Attributor,
    steps: int = 40,
    relative_step: float = 0.25,
    keep: float = 1.0,
) -> Images:
    """Moves the map of `attributor` towards that of the target image, in the L-inf ball of radius `strength`.

    White box and targeted (Dombrowski et al. 2019): differentiates through the method, with softplus of growing
    sharpness in place of ReLU. The first step is `relative_step` times `strength`; `keep` is the price of changing
    the probabilities. Each image gets its best iterate on the network as it is, among those that keep the predicted
    class; without one that beats the clean image it stays clean. A stochastic method draws anew at every step.
    """
    attributor = partial(attributor, generators=generators)
    with evaluating(model):
        with torch.no_grad():
            logits = model(samples.images)
        wanted = attributor(model.network, model.normalise(samples.target_images), samples.target_images_target)
        objective = MoveMap(model, attributor, samples.target, wanted, logits.softmax(1), keep)
        judge = MovedWithPredictionKept(model, attributor, samples.target, wanted, logits.argmax(1))
        ascent = Ascent(Linf(strength), objective, judge, _sharpening, steps, relative_step * strength)
        return ascent(samples.images, samples.images)


def _sharpening(progress: float) -> AbstractContextManager[object]:
    first, last = SHARPNESS
    return softplus(first * (last / first) ** progress)
