"""Evidence for or against a good search: each image's values, by the names of EVIDENCE."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from attacks.balls import standard_normal
from attacks.entries import EVIDENCE
from attacks.explanations.ascent import Ascent, SearchTrace, displace
from attacks.explanations.gradients import DifferentiatedGradient, sharpening_softplus, without_surrogate
from attacks.explanations.objectives import AttackObjectives
from attacks.explanations.search import highest
from attacks.explanations.slopes import slope_error
from attacks.types import Ball, Images, Objective, Samples
from srd.types import Generators, Inputs, Maps, Scores, Target

NUDGES = (1e-6, 1e-8)  # lengths of moves of the image in [0, 1]: for a gentle slope, and near a singular point
PGD_STEPS = 10
RELATIVE_STEP = 0.25
CONTROL_MAPS = 4
"""The maps of the clean image and of the controls."""
SLOPE_MAPS = 2 * 2
"""The maps, in double precision, on both sides of the image along two directions, with the first length."""

Values = Mapping[str, Scores]


def complete(values: Values) -> dict[str, Scores]:
    """Return all of EVIDENCE, with NaN where there is no value."""
    nothing = torch.full_like(values["clean"], torch.nan)
    return {name: values.get(name, nothing) for name in EVIDENCE}


def of_traces(traces: Sequence[SearchTrace]) -> Values:
    """Return how the best value grew with steps and restarts. A single step has no last step beside its first."""
    gains = traces[0].gains
    return {
        "quarter": highest(traces, 0.25),
        "half": highest(traces, 0.5),
        "full": highest(traces),
        "first_restart": highest(traces[:1]),
        **({"gain_first": gains[0], "gain_last": gains[-1]} if len(gains) > 1 else {}),
    }


def of_both_ways(traces: Sequence[SearchTrace]) -> Values:
    """Return the best values through softplus and through the network as it is, which took turns."""
    ways = {"softplus": traces[::2], "exact": traces[1::2]}
    return {name: highest(runs) for name, runs in ways.items() if runs}


def of_controls(objectives: AttackObjectives, ball: Ball, samples: Samples, generators: Generators) -> Values:
    """Return the goal at the clean image and at images that ignore the explanation; -inf where these do not count."""
    noise = standard_normal(samples.images, generators)
    images = {
        "random_point": displace(samples.images, ball.sample(samples.images, generators)),
        "random_step": displace(samples.images, ball.epsilon * ball.step(noise)),
        "pgd": _pgd(objectives, ball, samples, generators),
    }
    clean = objectives.goal(objectives.explainer.maps(samples.images))
    return {"clean": clean, **{name: _as_control(objectives, image) for name, image in images.items()}}


def _as_control(objectives: AttackObjectives, images: Images) -> Scores:
    maps, logits = objectives.explainer(images)
    return torch.where(objectives.prediction.allows_control(logits.detach()), objectives.goal(maps), -torch.inf)


def of_gradient(objectives: AttackObjectives, ball: Ball, images: Images, generators: Generators) -> Values:
    """Return the `slope_error` of the gradient that a search follows, through softplus, for a random direction.

    The computation is in double precision at a random point of the ball, where it may leave [0, 1]: a comparison with
    the clean image may have no slope there, and the largest pixel has none among pixels cut to 1. A stochastic method
    repeats its draws.
    """
    centre = (images + ball.sample(images, generators)).double()
    gain = DifferentiatedGradient(in_double(objectives, generators).gain, sharpening_softplus)
    gradient, _ = gain(centre, 0.0)
    noise = standard_normal(centre, generators)
    error = slope_error(partial(gain.value, progress=0.0), centre, gradient, noise, NUDGES)
    return {"gradient_error": error.to(images)}


def loss_of(objectives: AttackObjectives, samples: Samples) -> Objective:
    """Return the loss of the network at images, which grows away from the label."""

    def loss(images: Images) -> Scores:
        return functional.cross_entropy(objectives.explainer.model(images), samples.label, reduction="none")

    return loss


def _pgd(objectives: AttackObjectives, ball: Ball, samples: Samples, generators: Generators) -> Images:
    """Return images moved away from the label, from a random start."""
    loss = loss_of(objectives, samples)

    def judge(images: Images) -> Scores:
        with torch.no_grad():
            return loss(images)

    ascent = Ascent(ball, DifferentiatedGradient(loss, without_surrogate), judge, displace, PGD_STEPS, RELATIVE_STEP)
    trace = ascent(samples.images, ball.sample(samples.images, generators))
    return displace(samples.images, trace.displacement)


def in_double(objectives: AttackObjectives, generators: Generators) -> AttackObjectives:
    """Return the same attack in double precision; it draws the same numbers at every call."""
    explainer = objectives.explainer
    drawing: Any = explainer.attributor
    states = [generator.get_state() for generator in generators]

    def repeat_draws(
        network: nn.Module,
        inputs: Inputs,
        target: Target,
        generators: Generators | None = None,
        *,
        create_graph: bool = False,
    ) -> Maps:
        again = [torch.Generator().set_state(state) for state in states]
        maps: Maps = drawing(network, inputs, target, generators=again, create_graph=create_graph)
        return maps

    return replace(objectives, explainer=replace(explainer, model=explainer.model.in_double(), attributor=repeat_draws))
