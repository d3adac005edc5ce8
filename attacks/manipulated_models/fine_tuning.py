"""Fine-tuning of a copy of a network, by cross-entropy alone or with a weight on the location of its maps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from attacks.manipulated_models.goals import GoalProgress
from attacks.types import Images, Model
from srd.copies import copy_of
from srd.types import Attributor, Generators, Maps, Target

Loss = Callable[[Model, Tensor, torch.Generator], Tensor]
"""(model, rows of the examples, random stream) -> the loss that fine-tuning lowers."""


@dataclass(frozen=True)
class Examples:
    """Images on which a network is fine-tuned."""

    images: Images
    label: Target
    """True class."""
    target: Target
    """Explained class."""


@dataclass(frozen=True)
class Settings:
    """Length and rate of the fine-tuning, by Adam with torch's other defaults."""

    steps: int
    batch: int
    rate: float


@dataclass(frozen=True)
class CrossEntropy:
    """The loss of ordinary fine-tuning."""

    examples: Examples

    def __call__(self, model: Model, rows: Tensor, stream: torch.Generator) -> Tensor:
        return functional.cross_entropy(model(self.examples.images[rows]), self.examples.label[rows])


@dataclass(frozen=True)
class Manipulation:
    """Cross-entropy, less `weight` times the mean progress of the maps towards the goal.

    After Heo, Joo, Moon 2019, section 3. The progress of a map counts by the share of its strength, sum |map|, that it
    has kept, at most 1. A goal does not read the scale of a map, so maps that end in a ReLU would otherwise go to 0.
    """

    examples: Examples
    attributor: Attributor
    goal: GoalProgress
    original: Maps
    """Maps of all examples by the original network."""
    weight: float

    def __call__(self, model: Model, rows: Tensor, stream: torch.Generator) -> Tensor:
        maps = explain_examples(model, self.examples, self.attributor, rows, stream, create_graph=True)
        reached = _mean_progress(self.goal, maps, self.original[rows])
        return CrossEntropy(self.examples)(model, rows, stream) - self.weight * reached


def fine_tune(model: Model, loss: Loss, n: int, settings: Settings, stream: torch.Generator) -> Model:
    """Fine-tune a copy of the model in evaluation mode on `n` examples, with all its parameters.

    The model itself is left as found. Batch norms keep their running statistics; their weights and biases are trained.
    The order of the examples is drawn from the stream first, so that two losses see the same batches.
    """
    tuned = copy_of(model).eval().requires_grad_()
    optimizer = torch.optim.Adam(tuned.parameters(), settings.rate)
    for rows in list(_batches(n, settings, stream)):
        optimizer.zero_grad()
        torch.autograd.backward(loss(tuned, rows, stream))
        optimizer.step()
    optimizer.zero_grad()
    return tuned.requires_grad_(False)


def explain_examples(
    model: Model,
    examples: Examples,
    attributor: Attributor,
    rows: Tensor,
    stream: torch.Generator,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return maps of some of the examples. A stochastic method gets one stream per row, seeded from `stream`."""
    inputs = model.normalise(examples.images[rows])
    streams = _streams(len(rows), stream)
    return attributor(model.network, inputs, examples.target[rows], streams, create_graph=create_graph)


def _mean_progress(goal: GoalProgress, maps: Maps, original: Maps) -> Tensor:
    """Return the mean progress over images. An image whose map is 0, or was 0, has made none."""
    strength, before = (each.abs().sum((1, 2)) for each in (maps, original))
    present = (strength > 0) & (before > 0)
    kept = (strength[present] / before[present]).clamp(max=1)
    return (goal(maps[present], original[present]) * kept).sum() / len(maps)


def _batches(n: int, settings: Settings, stream: torch.Generator) -> Iterator[Tensor]:
    """Yield all examples in random order, then again in another order, for the given number of steps."""
    per_pass = -(-n // settings.batch)
    for start in range(0, settings.steps, per_pass):
        order = torch.randperm(n, generator=stream)
        yield from order.split(settings.batch)[: settings.steps - start]


def _streams(n: int, stream: torch.Generator) -> Generators:
    words = torch.randint(2**62, (n,), generator=stream).tolist()
    return [torch.Generator().manual_seed(word) for word in words]
