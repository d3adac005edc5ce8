"""The threat model of an attack on an explanation: an aim for map and prediction, in a ball of images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from types import MappingProxyType

from torch import Tensor

from attacks.balls import L2, Linf
from attacks.entries import Norm
from attacks.explanations.ascent import JUDGED, Displace, Gradient, displace, displace_in_eight_bits
from attacks.explanations.goals import Away, MoveCentre, OutOf, Towards
from attacks.explanations.gradients import both_ways
from attacks.explanations.objectives import AttackObjectives, Explainer, Goal, Prediction
from attacks.explanations.options import AttackOptions
from attacks.explanations.predictions import ChangePrediction, KeepPrediction
from attacks.explanations.search import Search
from attacks.types import Ball, Model, Objective, Samples
from srd.errors import PerturbationError
from srd.metrics._maps import top_k
from srd.passes import evaluating
from srd.sampled import SampledAttributor
from srd.types import Attributor, Generators, Logits, Maps

BALLS: Mapping[Norm, Callable[[float], Ball]] = MappingProxyType({"L-inf": Linf, "L2": L2})


@dataclass(frozen=True)
class Pace:
    """The number of steps of a search, and how often it looks at what it has reached."""

    steps: float
    """The steps that it takes for each step of its options."""
    judged: int
    """Of how many iterates one is judged."""

    def steps_of(self, steps: int) -> int:
        """Return the number of steps of a run whose options say `steps`."""
        return ceil(self.steps * steps)


BY_WHOLE_MAPS = Pace(1, JUDGED)
BY_ESTIMATES = Pace(1.5, 2 * JUDGED)
"""Each step costs half, so that a run takes three quarters of the passes (docs/benchmarks.md, Attacks)."""


@dataclass(frozen=True)
class Attack:
    """One attack on the explanations of a tile."""

    objectives: AttackObjectives
    estimated: AttackObjectives
    """The same by the estimate of a sampled method, which is what a search differentiates."""
    ball: Ball
    displace: Displace
    pace: Pace
    """The pace of a search that differentiates."""

    def search(self, options: AttackOptions, gradients: Sequence[Gradient], judge: Objective, pace: Pace) -> Search:
        """Return the search of the ball by these gradients."""
        steps, restarts = pace.steps_of(options.steps), options.restarts
        return Search(self.ball, gradients, judge, self.displace, steps, restarts, options.relative_step, pace.judged)

    def search_of_each(self, options: AttackOptions) -> Search:
        """Return the search for the best image of each row, which differentiates through the method."""
        search = self.search(options, both_ways(self.estimated.gain), self.objectives.judge, self.pace)
        return replace(search, of_rows=lambda rows: self._of_rows(rows).search_of_each(options))

    def _of_rows(self, rows: Tensor) -> "Attack":
        return replace(self, objectives=self.objectives.of_rows(rows), estimated=self.estimated.of_rows(rows))


@contextmanager
def attacking(
    options: AttackOptions, model: Model, samples: Samples, strength: float, generators: Generators
) -> Iterator[Attack]:
    """Yield the attack on a model in evaluation mode, then restore the mode of the model."""
    with evaluating(model):
        objectives = objectives_of(
            options.aim, model, samples, options.attributor, generators, options.keep, options.tolerance
        )
        estimated, pace = _estimate(objectives)
        yield Attack(
            objectives,
            estimated,
            BALLS[options.norm](strength),
            displace_in_eight_bits if options.eight_bits else displace,
            pace,
        )


def _estimate(objectives: AttackObjectives) -> tuple[AttackObjectives, Pace]:
    """Return the objectives by estimates of the maps, if the method has such, and the pace of a search by them."""
    attributor = objectives.explainer.attributor
    if not isinstance(attributor, SampledAttributor):
        return objectives, BY_WHOLE_MAPS
    explainer = replace(objectives.explainer, attributor=attributor.estimate)
    return replace(objectives, explainer=explainer), BY_ESTIMATES


@dataclass(frozen=True)
class Clean:
    """Facts that are known before the attack."""

    explainer: Explainer
    samples: Samples
    maps: Maps
    logits: Logits


@dataclass(frozen=True)
class Aim:
    """A goal for the map, and what the attack does to the prediction, given its weight and tolerance."""

    goal: Callable[[Clean], Goal]
    prediction: Callable[[Logits, float, float], Prediction] = KeepPrediction


def objectives_of(
    aim: str,
    model: Model,
    samples: Samples,
    attributor: Attributor,
    generators: Generators | None,
    prediction_weight: float,
    tolerance: float,
) -> AttackObjectives:
    """Return the objectives of the attack with one of the AIMS.

    Raises
    ------
    PerturbationError
        The samples lack what the aim needs.
    """
    explainer = Explainer(model, attributor, samples.target, generators)
    maps, logits = explainer(samples.images)
    clean, chosen = Clean(explainer, samples, maps, logits.detach()), AIMS[aim]
    return AttackObjectives(
        explainer, chosen.goal(clean), chosen.prediction(clean.logits, prediction_weight, tolerance)
    )


def _target_map(clean: Clean) -> Goal:
    explainer, samples = clean.explainer, clean.samples
    network, inputs = explainer.model.network, explainer.model.normalise(samples.target_images)
    return Towards(explainer.attributor(network, inputs, samples.target_images_target, explainer.generators))


def _out_of_object(clean: Clean) -> Goal:
    if clean.samples.masks is None:
        raise PerturbationError("hiding the object needs its mask, and these samples have none")
    return OutOf(clean.samples.masks)


def _change_prediction(clean: Logits, prediction_weight: float, _: float) -> Prediction:
    return ChangePrediction(clean, prediction_weight)


AIMS: Mapping[str, Aim] = MappingProxyType(
    {
        "target map": Aim(_target_map),
        "other map": Aim(lambda clean: Away(clean.maps)),
        "top-k": Aim(lambda clean: OutOf(top_k(clean.maps))),
        "mass centre": Aim(lambda clean: MoveCentre(clean.maps)),
        "hide object": Aim(_out_of_object),
        "flip, same map": Aim(lambda clean: Towards(clean.maps), _change_prediction),
    }
)
