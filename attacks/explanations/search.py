"""Restarts of the search loop for one aim, and the best of them for each image."""

from collections.abc import Sequence
from dataclasses import dataclass

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

    def __call__(self, clean: Images, origin: Tensor, generators: Generators) -> tuple[SearchTrace, ...]:
        """Run the search from `origin`, and then again from random points.

        Clean maps are a stationary point of goals that compare with them: the network as it is shows no way away from
        there.
        """
        return tuple(self._run(restart, clean, origin, generators) for restart in range(self.restarts))

    def _run(self, restart: int, clean: Images, origin: Tensor, generators: Generators) -> SearchTrace:
        gradient = self.gradients[restart % len(self.gradients)]
        ascent = Ascent(self.ball, gradient, self.judge, self.displace, self.steps, self.relative_step)
        return ascent(clean, self.ball.sample(origin, generators) if restart else origin)


def best(traces: Sequence[SearchTrace]) -> Tensor:
    """Return, for each row, the displacement that was rated best; among equals the earliest."""
    values = torch.stack([trace.highest[-1] for trace in traces])
    displacements = torch.stack([trace.displacement for trace in traces])
    return displacements[values.argmax(0), torch.arange(values.shape[1])]


def highest(traces: Sequence[SearchTrace], share: float = 1.0) -> Scores:
    """Return, for each row, the best value in the first `share` of the steps of every run."""
    runs = [trace.highest[min(round(share * (len(trace.highest) - 1)), len(trace.highest) - 1)] for trace in traces]
    return torch.stack(runs).amax(0)
