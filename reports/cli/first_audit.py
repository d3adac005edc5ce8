"""The size of a first audit: what one worker does in half an hour, by the seconds of a map of each method."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.estimate.inspected import Method
from srd.registry import ATTRIBUTORS

AFFORDED = 1800.0
"""The seconds that a first audit may take on one worker."""
STEPS = (40, 20, 10, 5)
"""The numbers of steps of an attack on the explanation, from which one is chosen."""
SAMPLES = " x ("
"""What the cost of a method holds that sums gradients at many points: it is not quick."""
MAPS_OF_A_STEP = 4.0
"""The maps that a step of an attack costs (docs/benchmarks.md)."""
RESTARTS = 2
CONDITIONS = 7
"""The clean images, two strengths each of noise, control and attack on the prediction."""
GRADIENT_IN_PASSES = 3.0


@dataclass(frozen=True)
class FirstAudit:
    """The size of an audit."""

    images: int
    steps: int
    against: tuple[str, ...]
    """The methods that are attacked."""
    asks_less: bool
    """Whether the network is asked fewer questions than by default."""

    def seconds(self, methods: Sequence[Method]) -> float:
        """Return about how many seconds it takes on one worker, by the seconds of a map of each of its methods."""
        of_map = {method.name: method.seconds or 0.0 for method in methods}
        gradient = min((of_map[name] for name in _attackable(methods)), default=0.0)
        attack = RESTARTS * self.steps * (MAPS_OF_A_STEP * sum(of_map[name] for name in self.against) + gradient)
        maps = (CONDITIONS + len(self.against)) * sum(of_map.values())
        return self.images * (attack + maps + self._questions(len(of_map)) * gradient / GRADIENT_IN_PASSES)

    def _questions(self, n_methods: int) -> int:
        """Return how often the network is asked about one image."""
        return (350 + 55 * n_methods) if self.asks_less else (575 + 90 * n_methods)


def size_first_audit(methods: Sequence[Method], most: int, least: int) -> tuple[FirstAudit, FirstAudit]:
    """Return the largest first audit that is afforded, or the smallest of all, and the largest of all.

    Parameters
    ----------
    methods
        The methods of the audit, all of which explain the network.
    most, least
        The numbers of images that it may have.
    """
    sizes = tuple(_sizes(methods, most, least))
    return next((size for size in sizes if size.seconds(methods) <= AFFORDED), sizes[-1]), sizes[0]


def _sizes(methods: Sequence[Method], most: int, least: int) -> Iterator[FirstAudit]:
    """Yield the sizes of an audit, from the largest to the smallest."""
    every = _attackable(methods)
    quick = tuple(name for name in every if SAMPLES not in ATTRIBUTORS[name].cost) or every
    full = FirstAudit(most, STEPS[0], every, False)
    yield full
    yield replace(full, steps=STEPS[1])
    for steps in STEPS[:2]:
        yield replace(full, steps=steps, against=quick)
    for size in (most, least):
        for steps in STEPS[1:]:
            yield FirstAudit(size, steps, quick, True)


def _attackable(methods: Sequence[Method]) -> tuple[str, ...]:
    """Return the names of the methods that an attack can go against."""
    return tuple(
        each.name for each in methods if ATTRIBUTORS[each.name].differentiable and ATTRIBUTORS[each.name].uses_network
    )
