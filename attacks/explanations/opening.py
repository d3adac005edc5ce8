"""What all attacks on explanations share: the aim, the ball, and the model as it is to be attacked."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from attacks.balls import L2, Linf
from attacks.explanations.aims import task
from attacks.explanations.ascent import Added, added, added_in_eight_bits
from attacks.explanations.objectives import Task
from attacks.types import Ball, Model, Samples
from srd.passes import evaluating
from srd.types import Attributor, Generators

BALLS: Mapping[str, Callable[[float], Ball]] = MappingProxyType({"L-inf": Linf, "L2": L2})


@dataclass(frozen=True)
class Attack:
    """One attack on the explanations of a tile."""

    task: Task
    ball: Ball
    stored: Added


@contextmanager
def opened(
    model: Model,
    samples: Samples,
    strength: float,
    generators: Generators,
    attributor: Attributor,
    aim: str,
    norm: str,
    price: float,
    tolerance: float,
    eight_bits: bool,
) -> Iterator[Attack]:
    drawing = partial(attributor, generators=generators)
    with evaluating(model):
        yield Attack(
            task(aim, model, samples, drawing, price, tolerance),
            BALLS[norm](strength),
            added_in_eight_bits if eight_bits else added,
        )
