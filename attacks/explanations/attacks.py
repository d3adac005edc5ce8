"""Attacks on the explanation of each image: white box and black box."""

from collections.abc import Sequence

import torch

from attacks.explanations import evidence
from attacks.explanations.ascent import SearchTrace
from attacks.explanations.gradients import EstimatedGradient
from attacks.explanations.options import BlackBoxOptions, WhiteBoxOptions
from attacks.explanations.search import best
from attacks.explanations.threat_model import BY_WHOLE_MAPS, Attack, attacking
from attacks.types import AttackResult, Model, Samples
from srd.keywords import takes
from srd.types import Generators


@takes(WhiteBoxOptions)
def white_box(
    options: WhiteBoxOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> AttackResult:
    """Search the ball of radius `strength` for images whose maps reach the `aim`, one of AIMS.

    The search differentiates through the method. The first restart uses softplus of growing sharpness in place of ReLU
    (Dombrowski et al. 2019), the second the network as it is, and so on in turn. Each image gets the best of its
    iterates on the network as it is, among those whose prediction meets the aim: the class of the clean image, except
    for the flip, and every probability within `tolerance`. An image without an iterate that beats the clean image stays
    clean. A stochastic method draws anew at every step. Through a `SampledAttributor` the search follows estimates from
    half of the gradients, for half as many steps more, and judges by whole maps.

    Raises
    ------
    PerturbationError
        The samples lack what the aim needs.
    """
    with attacking(options, model, samples, strength, generators) as attack:
        traces = attack.search_of_each(options)(samples.images, torch.zeros_like(samples.images), generators)
        ways = evidence.of_both_ways(traces)
        gradient = evidence.of_gradient(attack.estimated, attack.ball, samples.images, generators)
        return _result(attack, traces, samples, generators, {**ways, **gradient})


@takes(BlackBoxOptions)
def black_box(
    options: BlackBoxOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> AttackResult:
    """Search as `white_box` does, but by queries alone, each answered by a map and logits (AttaXAI, Tamam et al. 2022).

    The search asks `steps` x (2 `pairs` + 1 / 2) queries for each image.
    """
    with attacking(options, model, samples, strength, generators) as attack:
        ways = [EstimatedGradient(attack.objectives.gain, options.pairs, options.sigma, generators)]
        search = attack.search(options, ways, attack.objectives.judge, BY_WHOLE_MAPS)
        traces = search(samples.images, torch.zeros_like(samples.images), generators)
        return _result(attack, traces, samples, generators, {})


def _result(
    attack: Attack, traces: Sequence[SearchTrace], samples: Samples, generators: Generators, more: evidence.Values
) -> AttackResult:
    controls = evidence.of_controls(attack.objectives, attack.ball, samples, generators)
    values = {**evidence.of_traces(traces), **controls, **more}
    return AttackResult(attack.displace(samples.images, best(traces)), evidence.complete(values))
