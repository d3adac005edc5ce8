"""One perturbation for many images: fitted to some, added to all."""

import torch
from torch import Tensor

from attacks.explanations import evidence
from attacks.explanations.gradients import both_ways
from attacks.explanations.options import DisplacementOptions, WhiteBoxOptions
from attacks.explanations.search import best
from attacks.explanations.threat_model import Attack, attacking
from attacks.types import AttackResult, Images, Model, Objective, Samples
from srd.keywords import takes
from srd.types import Generators, Scores


@takes(WhiteBoxOptions)
def universal(
    options: WhiteBoxOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> Tensor:
    """Return the displacement (1, c, h, w) within `strength` that is best for the `aim`, averaged over samples.

    The search is that of `white_box`. An image whose prediction does not meet the aim counts as not moved.
    """
    with attacking(options, model, samples, strength, generators) as attack:
        judged = _judge_or_clean(attack, samples.images)

        def judge(images: Images) -> Scores:
            return judged(images).mean(0, keepdim=True)

        search = attack.search(options, both_ways(attack.estimated.gain), judge, attack.pace)
        return best(search(samples.images, torch.zeros_like(samples.images[:1]), generators[:1]))


def _judge_or_clean(attack: Attack, clean: Images) -> Objective:
    """Return the goal where the prediction meets the aim, else the goal at the clean image, as an objective."""
    unmoved = attack.objectives.goal(attack.objectives.explainer.maps(clean))

    def judge(images: Images) -> Scores:
        values = attack.objectives.judge(images)
        return torch.where(values.isfinite(), values, unmoved)

    return judge


@takes(DisplacementOptions)
def add_displacement(
    options: DisplacementOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> AttackResult:
    """Return the samples with a universal displacement, and its effect and that of the controls on each."""
    with attacking(options, model, samples, strength, generators) as attack:
        images = attack.displace(samples.images, options.displacement)
        values = {
            "full": _judge_or_clean(attack, samples.images)(images),
            **evidence.of_controls(attack.objectives, attack.ball, samples, generators),
            **evidence.of_gradient(attack.estimated, attack.ball, samples.images, generators),
        }
        return AttackResult(images, evidence.complete(values))
