"""One perturbation for many images: fitted to some, added to all."""

import torch
from torch import Tensor

from attacks.explanations import evidence
from attacks.explanations.gradients import both_ways
from attacks.explanations.opening import Attack, opened
from attacks.explanations.search import Search, best
from attacks.types import Found, Images, Model, Objective, Samples
from srd.types import Attributor, Generators, Scores


def universal(
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
) -> Tensor:
    """The displacement (1, c, h, w) in the ball of radius `strength` that serves `aim` best on average over samples.

    Searched for as by `white_box`. An image whose prediction it does not leave as the aim wants counts as not moved.
    """
    with opened(model, samples, strength, generators, attributor, aim, norm, keep, tolerance, eight_bits) as attack:
        judged = _counted(attack, samples.images)

        def judge(images: Images) -> Scores:
            return judged(images).mean(0, keepdim=True)

        search = Search(attack.ball, both_ways(attack.task.gain), judge, attack.stored, steps, restarts, relative_step)
        return best(search(samples.images, torch.zeros_like(samples.images[:1]), generators[:1]))


def _counted(attack: Attack, clean: Images) -> Objective:
    """What the attack increases, where the prediction is as the aim wants it; else its value at the clean image."""
    unmoved = attack.task.goal(attack.task.explainer.maps(clean))

    def judge(images: Images) -> Scores:
        values = attack.task.judge(images)
        return torch.where(values.isfinite(), values, unmoved)

    return judge


def displaced(
    model: Model,
    samples: Samples,
    strength: float,
    generators: Generators,
    *,
    displacement: Tensor,
    attributor: Attributor,
    aim: str,
    norm: str,
    keep: float = 1.0,
    tolerance: float = 1.0,
    eight_bits: bool = False,
) -> Found:
    """The samples with a universal displacement, and what it and the controls do to each."""
    with opened(model, samples, strength, generators, attributor, aim, norm, keep, tolerance, eight_bits) as attack:
        images = attack.stored(samples.images, displacement)
        values = {
            "full": _counted(attack, samples.images)(images),
            **evidence.of_controls(attack.task, attack.ball, samples, generators),
            **evidence.of_gradient(attack.task, attack.ball, samples.images, generators),
        }
        return Found(images, evidence.complete(values))
