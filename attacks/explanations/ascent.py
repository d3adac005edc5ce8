"""The search loop of all attacks on explanations, independent of norm, objective, attributor and gradients' source."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.types import Ball, Images, Objective
from srd.types import Scores

MOMENTUM = 0.9
JUDGED = 2
"""Every second iterate is judged, the last one included: each costs a map."""
CHECKS = ((0.125, 0.5), (0.25, 0.5), (0.5, 1.0))
"""Share of the steps, and the share of what an earlier run had gained by then below which a run is given up."""
LEAST_STEP = 0.02  # relative to the first step; the last of many steps comes near it, fine enough to settle

Gradient = Callable[[Images, float], tuple[Images, Scores]]
"""(images, progress from 0 to 1) -> gradient of the objective at the images, and the values of the objective there."""

Displace = Callable[[Images, Tensor], Images]
"""(images, displacement) -> displaced images inside [0, 1]."""


@dataclass(frozen=True)
class SearchTrace:
    """The result of one run of the loop, each row by itself."""

    displacement: Tensor
    highest: tuple[Scores, ...]
    """The best value so far, at the start and after each step."""
    gains: tuple[Scores, ...]
    """The objective at each step, of the rows that were not given up by then."""


@dataclass(frozen=True)
class Ascent:
    """Momentum steps (Dong et al. 2018) with sizes that decay as a cosine. Each row keeps its own best iterate.

    A displacement of one row moves all images alike.
    """

    ball: Ball
    gradient: Gradient
    judge: Objective
    """Rates iterates: one value for each row of the displacement, higher is better."""
    displace: Displace
    """Makes the images that are judged and returned from a displacement."""
    steps: int
    relative_step: float
    """Size of the first step in units of the ball's radius."""
    judged: int = JUDGED
    """Of how many iterates one is judged, the last one included."""
    of_rows: Callable[[Tensor], "Ascent"] | None = None
    """(rows) -> the same with the gradient and judge of these rows alone, so that rows that are given up cost nothing.

    Without it they are computed on with the others.
    """

    def __call__(self, clean: Images, start: Tensor, earlier: Sequence[Scores] = ()) -> SearchTrace:
        """Return the displacement that `judge` rates highest, or no displacement if none is rated higher.

        Parameters
        ----------
        earlier
            The best value of earlier runs, at the start and after each step. A row that falls behind as CHECKS says
            is given up: it keeps what it has found. The run ends when all rows are given up.
        """
        rows, ascent = torch.arange(len(start), device=start.device), self
        displacement, velocity = start, torch.zeros_like(start)
        best = torch.zeros_like(start)
        highest, gains = [earlier[0] if earlier else self.judge(self.displace(clean, best))], []
        hopeful = torch.ones_like(highest[0], dtype=torch.bool)
        for k in range(self.steps):
            gradient, gain = ascent.gradient(displace(clean, displacement), k / max(1, self.steps - 1))
            gains.append(gain)
            velocity = MOMENTUM * velocity + _of_mean_size_one(gradient).sum_to_size(velocity.shape)
            size = self.relative_step * self.ball.epsilon * _decay(k / self.steps)
            displacement = self.ball.project(displacement + size * self.ball.step(velocity))
            highest.append(highest[-1].clone())
            if (self.steps - 1 - k) % self.judged == 0:
                value = ascent.judge(self.displace(clean, displacement))
                better = hopeful[rows] & (value > highest[-1][rows])
                best[rows[better]], highest[-1][rows[better]] = displacement[better], value[better]
            if earlier:
                hopeful &= self._keeps_up(highest, earlier)
            if not (velocity.any() and hopeful.any()):
                break
            kept = hopeful[rows]
            if self.of_rows is not None and not kept.all():
                rows, clean, displacement, velocity = rows[kept], clean[kept], displacement[kept], velocity[kept]
                ascent = self.of_rows(rows)
        highest += [highest[-1]] * (self.steps + 1 - len(highest))
        return SearchTrace(best, tuple(highest), tuple(gains))

    def _keeps_up(self, highest: Sequence[Scores], earlier: Sequence[Scores]) -> Tensor:
        """Return whether each row has gained enough, after as many steps as `highest` has, to go on.

        A row whose start may not be kept (-inf, before its prediction changes) has no gain, and goes on.
        """
        behind, step = torch.zeros_like(highest[0], dtype=torch.bool), len(highest) - 1
        for share_of_steps, share_of_gain in CHECKS:
            if step == self._step_to_check(share_of_steps):
                behind |= highest[step] - highest[0] < share_of_gain * (earlier[step] - earlier[0])
        return ~behind | highest[0].isinf()

    def _step_to_check(self, share: float) -> int:
        """Return the last step that is judged in this share of the steps, or the first one of all."""
        step = round(share * self.steps)
        step -= (step - self.steps) % self.judged
        return step if step > 0 else step + self.judged


def displace(clean: Images, displacement: Tensor) -> Images:
    """Return the displaced images, cut to [0, 1]."""
    return (clean + displacement).clamp(0, 1)


def displace_in_eight_bits(clean: Images, displacement: Tensor) -> Images:
    """Return the displaced images, with every move shortened to whole levels of 1/255.

    Images of 8 bits thus stay images of 8 bits.
    """
    levels = 255 * (displace(clean, displacement) - clean)
    return (clean + (levels + ROUNDING * levels.sign()).trunc() / 255).clamp(0, 1)


ROUNDING = 1e-3  # float32 may fall short of a whole level by this share


def _of_mean_size_one(gradient: Images) -> Images:
    finite = torch.nan_to_num(gradient, posinf=0.0, neginf=0.0)
    return finite / finite.abs().mean((1, 2, 3), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)


def _decay(progress: float) -> float:
    return LEAST_STEP + (1 - LEAST_STEP) * (1 + math.cos(math.pi * progress)) / 2
