"""Attacks on the explanation: white box, black box, and one perturbation for many images."""

from collections.abc import Sequence

import torch

from attacks.explanations import evidence
from attacks.explanations.ascent import Climb
from attacks.explanations.gradients import Estimated, both_ways
from attacks.explanations.opening import Attack, opened
from attacks.explanations.search import Search, best
from attacks.types import Found, Model, Samples
from srd.types import Attributor, Generators


def white_box(
    model: Model,
    samples: Samples,
    strength: float,
    generators: Generators,
    *,
    attributor: Attributor,
    aim: str,
    norm: str,
    steps: int = 100,
    restarts: int = 2,
    relative_step: float = 0.25,
    keep: float = 1.0,
    tolerance: float = 1.0,
    eight_bits: bool = False,
) -> Found:
    """Searches the ball of radius `strength` for images whose maps are what `aim`, one of AIMS, wants.

    Differentiates through the method: in the first restart with softplus of growing sharpness in place of ReLU
    (Dombrowski et al. 2019), in the second through the network as it is, and so on in turn; those after the first
    start at random points of the ball. The first step is `relative_step` times `strength`; `keep` is the price of a
    changed prediction. Each image gets the best of its iterates on the network as it is, among those whose prediction
    is as the aim wants it: but for the flip the clean image's class, every probability within `tolerance`. Without one
    that beats the clean image it stays clean. With `eight_bits` iterates are judged, and returned, moved by whole
    levels of 1/255. A stochastic method draws anew at every step.

    Raises PerturbationError where the samples lack what the aim needs.
    """
    with opened(model, samples, strength, generators, attributor, aim, norm, keep, tolerance, eight_bits) as attack:
        gradients = both_ways(attack.task.gain)
        search = Search(attack.ball, gradients, attack.task.judge, attack.stored, steps, restarts, relative_step)
        climbs = search(samples.images, torch.zeros_like(samples.images), generators)
        ways = evidence.of_both_ways(climbs)
        gradient = evidence.of_gradient(attack.task, attack.ball, samples.images, generators)
        return _found(attack, climbs, samples, generators, {**ways, **gradient})


def black_box(
    model: Model,
    samples: Samples,
    strength: float,
    generators: Generators,
    *,
    attributor: Attributor,
    aim: str,
    norm: str,
    steps: int = 100,
    pairs: int = 20,
    sigma: float = 0.02,
    relative_step: float = 0.25,
    keep: float = 1.0,
    tolerance: float = 1.0,
    eight_bits: bool = False,
) -> Found:
    """The same search by questions alone, each answered by a map and logits (AttaXAI, Tamam et al. 2022).

    A gradient is estimated from `pairs` of opposite points at standard deviation `sigma` (NES, Ilyas et al. 2018):
    `steps` x (2 `pairs` + 1 / 2) questions for each image.
    """
    with opened(model, samples, strength, generators, attributor, aim, norm, keep, tolerance, eight_bits) as attack:
        ways = [Estimated(attack.task.gain, pairs, sigma, generators)]
        search = Search(attack.ball, ways, attack.task.judge, attack.stored, steps, 1, relative_step)
        climbs = search(samples.images, torch.zeros_like(samples.images), generators)
        return _found(attack, climbs, samples, generators, {})


def _found(
    attack: Attack, climbs: Sequence[Climb], samples: Samples, generators: Generators, more: evidence.Values
) -> Found:
    controls = evidence.of_controls(attack.task, attack.ball, samples, generators)
    values = {**evidence.of_climbs(climbs), **controls, **more}
    return Found(attack.stored(samples.images, best(climbs)), evidence.complete(values))
