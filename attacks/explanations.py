"""Attacks on the explanation: the prediction stays, the map moves."""

from contextlib import AbstractContextManager, nullcontext

import torch

from attacks.ascent import ascend
from attacks.balls import Linf
from attacks.objectives import MovedWithPredictionKept, MoveMap
from attacks.types import Images, Model, Samples
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
    steps: int = 100,
    relative_step: float = 0.25,
    keep: float = 1.0,
) -> Images:
    """Moves the map of `attributor` towards that of the target image, in the L-inf ball of radius `strength`.

    White box, targeted (Dombrowski et al. 2019). Half of the steps start at the clean image and differentiate
    through softplus in place of ReLU, with growing sharpness; the other half go on from a random start through the
    network as it is. The best iterate of both, judged on the network as it is, counts if the prediction is kept;
    without one the image stays clean.
    """
    ball = Linf(strength)
    with torch.no_grad():
        logits = model(samples.images)
    wanted = attributor(model.network, model.normalise(samples.target_images), samples.target_images_target)
    objective = MoveMap(model, attributor, samples.target, wanted, logits.softmax(1), keep)
    judge = MovedWithPredictionKept(model, attributor, samples.target, wanted, logits.argmax(1))
    smooth, smooth_value = ascend(
        ball, objective, judge, samples.images, samples.images, steps, relative_step * strength, _growing
    )
    return smooth


def _growing(progress: float) -> AbstractContextManager[object]:
    first, last = SHARPNESS
    return softplus(first * (last / first) ** progress)


def _none(progress: float) -> AbstractContextManager[object]:
    return nullcontext()
