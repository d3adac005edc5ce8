"""One perturbation for many images: fitted to some, added to all."""

import torch
from torch import Tensor

from attacks.explanations import evidence
from attacks.explanations.gradients import both_ways
from attacks.explanations.options import DisplacementOptions, WhiteBoxOptions
from attacks.explanations.search import best
from attacks.explanations.threat_model import Attack, attacking
from attacks.types import Found, Images, Model, Objective, Samples
from srd.keywords import takes
from srd.types import Generators, Scores


@takes(WhiteBoxOptions)
def universal(
    options: WhiteBoxOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> Tensor:
    """The displacement (1, c, h, w) in the ball of radius `strength` that serves `aim` best on average over samples.

    Searched for as by `white_box`. An image whose prediction it does not leave as the aim wants counts as not moved.
    """
    with attacking(options, model, samples, strength, generators) as attack:
        judged = _counted(attack, samples.images)

        def judge(images: Images) -> Scores:
            return judged(images).mean(0, keepdim=True)

        search = attack.search(options, both_ways(attack.task.gain), judge)
        return best(search(samples.images, torch.zeros_like(samples.images[:1]), generators[:1]))


def _counted(attack: Attack, clean: Images) -> Objective:
    """What the attack increases, where the prediction is as the aim wants it; else its value at the clean image."""
    unmoved = attack.task.goal(attack.task.explainer.maps(clean))

    def judge(images: Images) -> Scores:
        values = attack.task.judge(images)
        return torch.where(values.isfinite(), values, unmoved)

    return judge


@takes(DisplacementOptions)
def displaced(
    options: DisplacementOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> Found:
    """The samples with a universal displacement, and what it and the controls do to each."""
    with attacking(options, model, samples, strength, generators) as attack:
        images = attack.stored(samples.images, options.displacement)
        values = {
            "full": _counted(attack, samples.images)(images),
            **evidence.of_controls(attack.task, attack.ball, samples, generators),
            **evidence.of_gradient(attack.task, attack.ball, samples.images, generators),
        }
        return Found(images, evidence.complete(values))
