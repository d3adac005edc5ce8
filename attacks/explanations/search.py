"""Restarts of the search loop for one aim, and the best of them for each image."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from attacks.explanations.ascent import Ascent, Displace, Gradient, SearchTrace
from attacks.types import Ball, Images, Objective
from srd.types import Generators, Scores


@dataclass(frozen=True)
class Search:
    """Runs of the loop, one per restart, whose gradients take turns."""

    ball: Ball
    gradients: Sequence[Gradient]
    judge: Objective
    displace: Displace
    steps: int
    restarts: int
    relative_step: float
    judged: int
    of_rows: Callable[[Tensor], "Search"] | None = None
    """(rows) -> the same search of these rows alone, where rows do not depend on each other."""

    def __call__(self, clean: Images, origin: Tensor, generators: Generators) -> tuple[SearchTrace, ...]:
        """Run the search from `origin`, and then again from random points.

        Clean maps are a stationary point of goals that compare with them: the network as it is shows no way away from
        there. A later run is given up where it falls behind the best of those before it.
        """
        traces: list[SearchTrace] = []
        for restart in range(self.restarts):
            start = self.ball.sample(origin, generators) if restart else origin
            with _equal_use(generators):
                traces.append(self._ascent(restart)(clean, start, _best_so_far(traces)))
        return tuple(traces)

    def _ascent(self, restart: int) -> Ascent:
        gradient = self.gradients[restart % len(self.gradients)]
        return Ascent(
            self.ball,
            gradient,
            self.judge,
            self.displace,
            self.steps,
            self.relative_step,
            self.judged,
            None if self.of_rows is None else partial(_ascent_of_rows, self.of_rows, restart),
        )


def _ascent_of_rows(search: Callable[[Tensor], Search], restart: int, rows: Tensor) -> Ascent:
    return search(rows)._ascent(restart)


@contextmanager
def _equal_use(generators: Generators) -> Iterator[None]:
    """Leave generators in states that do not depend on how much is drawn within: a run may be given up early."""
    seeds = [int(torch.randint(2**62, (1,), generator=each)) for each in generators]
    yield
    for each, seed in zip(generators, seeds, strict=True):
        each.manual_seed(seed)


def _best_so_far(traces: Sequence[SearchTrace]) -> list[Scores]:
    """Return the best value of any run at the start and after each step; nothing if there was none."""
    return [torch.stack(values).amax(0) for values in zip(*(trace.highest for trace in traces), strict=True)]


def best(traces: Sequence[SearchTrace]) -> Tensor:
    """Return, for each row, the displacement that was rated best; among equals the earliest."""
    values = torch.stack([trace.highest[-1] for trace in traces])
    displacements = torch.stack([trace.displacement for trace in traces])
    return displacements[values.argmax(0), torch.arange(values.shape[1])]


def highest(traces: Sequence[SearchTrace], share: float = 1.0) -> Scores:
    """Return, for each row, the best value in the first `share` of the steps of every run."""
    runs = [trace.highest[min(round(share * (len(trace.highest) - 1)), len(trace.highest) - 1)] for trace in traces]
    return torch.stack(runs).amax(0)
