"""Attacks on the explanation: white box, black box, and one perturbation for many images."""

from collections.abc import Sequence

import torch

from attacks.explanations import evidence
from attacks.explanations.ascent import Climb
from attacks.explanations.gradients import Estimated, both_ways
from attacks.explanations.options import BlackBoxOptions, WhiteBoxOptions
from attacks.explanations.search import best
from attacks.explanations.threat_model import Attack, attacking
from attacks.types import Found, Model, Samples
from srd.keywords import takes
from srd.types import Generators


@takes(WhiteBoxOptions)
def white_box(
    options: WhiteBoxOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> Found:
    """Searches the ball of radius `strength` for images whose maps are what `aim`, one of AIMS, wants.

    Differentiates through the method: in the first restart with softplus of growing sharpness in place of ReLU
    (Dombrowski et al. 2019), in the second through the network as it is, and so on in turn. Each image gets the best of
    its iterates on the network as it is, among those whose prediction is as the aim wants it: but for the flip the
    clean image's class, every probability within `tolerance`. Without one that beats the clean image it stays clean. A
    stochastic method draws anew at every step.

    Raises PerturbationError where the samples lack what the aim needs.
    """
    with attacking(options, model, samples, strength, generators) as attack:
        search = attack.search(options, both_ways(attack.task.gain), attack.task.judge)
        climbs = search(samples.images, torch.zeros_like(samples.images), generators)
        ways = evidence.of_both_ways(climbs)
        gradient = evidence.of_gradient(attack.task, attack.ball, samples.images, generators)
        return _found(attack, climbs, samples, generators, {**ways, **gradient})


@takes(BlackBoxOptions)
def black_box(
    options: BlackBoxOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> Found:
    """The same search by questions alone, each answered by a map and logits (AttaXAI, Tamam et al. 2022).

    `steps` x (2 `pairs` + 1 / 2) questions for each image.
    """
    with attacking(options, model, samples, strength, generators) as attack:
        ways = [Estimated(attack.task.gain, options.pairs, options.sigma, generators)]
        search = attack.search(options, ways, attack.task.judge)
        climbs = search(samples.images, torch.zeros_like(samples.images), generators)
        return _found(attack, climbs, samples, generators, {})


def _found(
    attack: Attack, climbs: Sequence[Climb], samples: Samples, generators: Generators, more: evidence.Values
) -> Found:
    controls = evidence.of_controls(attack.task, attack.ball, samples, generators)
    values = {**evidence.of_climbs(climbs), **controls, **more}
    return Found(attack.stored(samples.images, best(climbs)), evidence.complete(values))
