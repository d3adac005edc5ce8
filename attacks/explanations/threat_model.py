"""What the attacks on explanations are after: a goal for the map, and what becomes of the prediction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from attacks.explanations.goals import Away, MoveCentre, OutOf, Towards
from attacks.explanations.objectives import Explainer, Goal, Prediction, Task
from attacks.explanations.predictions import ChangePrediction, KeepPrediction
from attacks.types import Model, Samples
from srd.errors import PerturbationError
from srd.metrics.similarity import top_k
from srd.types import Attributor, Logits, Maps


@dataclass(frozen=True)
class Clean:
    """What is known before the attack."""

    explainer: Explainer
    samples: Samples
    maps: Maps
    logits: Logits


@dataclass(frozen=True)
class Aim:
    """A goal for the map, and what the attack does to the prediction, given its price and tolerance."""

    goal: Callable[[Clean], Goal]
    prediction: Callable[[Logits, float, float], Prediction] = KeepPrediction


def task(aim: str, model: Model, samples: Samples, attributor: Attributor, price: float, tolerance: float) -> Task:
    """The attack with one of the AIMS.

    Raises PerturbationError where the samples lack what it aims by.
    """
    explainer = Explainer(model, attributor, samples.target)
    maps, logits = explainer(samples.images)
    clean, chosen = Clean(explainer, samples, maps, logits.detach()), AIMS[aim]
    return Task(explainer, chosen.goal(clean), chosen.prediction(clean.logits, price, tolerance))


def _target_map(clean: Clean) -> Goal:
    model, samples = clean.explainer.model, clean.samples
    inputs = model.normalise(samples.target_images)
    return Towards(clean.explainer.attributor(model.network, inputs, samples.target_images_target))


def _out_of_object(clean: Clean) -> Goal:
    if clean.samples.masks is None:
        raise PerturbationError("hiding the object needs its mask, and these samples have none")
    return OutOf(clean.samples.masks)


def _changed(clean: Logits, price: float, _: float) -> Prediction:
    return ChangePrediction(clean, price)


AIMS: Mapping[str, Aim] = MappingProxyType(
    {
        "target map": Aim(_target_map),
        "other map": Aim(lambda clean: Away(clean.maps)),
        "top-k": Aim(lambda clean: OutOf(top_k(clean.maps))),
        "mass centre": Aim(lambda clean: MoveCentre(clean.maps)),
        "hide object": Aim(_out_of_object),
        "flip, same map": Aim(lambda clean: Towards(clean.maps), _changed),
    }
)
