"""The answers of the network about some images of a tile, as the arguments of the metrics that read them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.plan.axes import ANSWERS, CONTROLS, ORDERS, PARTIAL_DEPTHS, subset_names
from pipeline.plan.schema import Reason
from pipeline.plan.tasks import Task
from pipeline.stages.asked import is_asked
from pipeline.stages.context import Context
from pipeline.stages.stored_maps import redrawn_maps
from pipeline.stages.subsets import subsets
from srd.entries import MetricEntry
from srd.metrics._maps import has_order, is_finite, total
from srd.removal.subsets import sums_over_cells
from srd.types import Curves, Maps, Samples, Scores

LOGIT, PROBABILITY = ANSWERS.index("logit"), ANSWERS.index("probability")
AT_FLOOR = 0.1
"""A fill says nothing about the order if its first step, in random order, leaves at most this share of the fall."""


class Found(NamedTuple):
    """Scores (n,), and why each is NaN if it is, and its map is not to blame."""

    scores: Scores
    reasons: Tensor


Evidence = Callable[[MetricEntry], Found]
ReadEvidence = Callable[[Context, Task, Maps], Evidence]
"""Takes a task of score, and the clean maps of those of its images that were asked about."""


@dataclass(frozen=True)
class Answers:
    """The answers of the network to images of which parts are removed."""

    curves: Mapping[str, tuple[Curves, Curves]]
    """Fill -> the target's probability as the map's highest, or lowest, pixels are removed first."""
    random_curves: Mapping[str, Curves]
    """Fill -> the same in a random order."""
    subsets: Mapping[str, tuple[Samples, Samples]]
    """Design -> the sums of the map over subsets of the cells, and the drops of the target's logit without them."""
    sums: tuple[Scores, Scores, Scores]
    """The sum of the map, the target's logit, and that of the black image."""

    def judge(self, entry: MetricEntry) -> Found:
        """Return the scores by a metric."""
        of = {"curves": self._of_curves, "subsets": self._of_subsets, "sum": self._of_sum}
        return of[entry.of](entry)

    def _of_curves(self, entry: MetricEntry) -> Found:
        if entry.fill not in self.curves:
            nothing = torch.full_like(self.sums[0], torch.nan)
            return Found(nothing, torch.full_like(nothing, int(Reason.NOT_ASKED)))
        most, least = self.curves[entry.fill]
        says_nothing = _is_at_floor(self.random_curves[entry.fill]) & (has_order(most) | has_order(least))
        reasons = torch.where(says_nothing, Reason.UNINFORMATIVE_FILL, Reason.NO_ANSWER_CHANGE)
        return Found(entry(most, least).masked_fill(says_nothing, torch.nan), reasons)

    def _of_subsets(self, entry: MetricEntry) -> Found:
        sums, drops = self.subsets[entry.design]
        return Found(entry(sums, drops), torch.where(has_order(drops), Reason.NO_CONTRAST, Reason.NO_ANSWER_CHANGE))

    def _of_sum(self, entry: MetricEntry) -> Found:
        scores: Scores = entry(*self.sums)
        return Found(scores, torch.full_like(scores, int(Reason.NO_ANSWER_CHANGE)))


def read_answers(context: Context, task: Task, maps: Maps) -> Evidence:
    """Return the evidence on whether the network uses what the maps show."""
    writer, measure = replace(task, stage="remove"), context.spec.measure
    asked = is_asked(context, writer)
    own = context.store.read_output(writer, ["curve"])
    shared = context.store.read_output(Task("occlude", task.tile, 0), ["occluded", "control_curve"])
    stored = {name: torch.from_numpy(values)[asked] for name, values in {**own, **shared}.items()}
    curve = stored["curve"][:, 0, ..., PROBABILITY]
    control = stored["control_curve"][:, CONTROLS.index("random")]
    most, least = ORDERS.index("most"), ORDERS.index("least")
    whole, occluded = control[:, 0, most, 0, LOGIT], stored["occluded"][..., LOGIT]
    return Answers(
        curves={fill: (curve[:, at, most], curve[:, at, least]) for at, fill in enumerate(measure.fills)},
        random_curves={fill: control[:, at, most, :, PROBABILITY] for at, fill in enumerate(measure.fills)},
        subsets=_subsets(context, context.plan.asked_rows(writer), maps, whole[:, None] - occluded),
        sums=(total(maps), whole, occluded[:, subset_names(measure).index("filled:black")]),
    ).judge


def read_redrawn(context: Context, task: Task, maps: Maps) -> Evidence:
    """Return the evidence on whether the maps depend on what the network has learnt."""
    asked = is_asked(context, replace(task, stage="randomise"))
    redrawn = redrawn_maps(context, task)[asked, len(PARTIAL_DEPTHS) :]  # all layers drawn again

    def judge(entry: MetricEntry) -> Found:
        scores: Scores = torch.stack([entry(maps, each) for each in redrawn.unbind(1)]).double().mean(0)
        finite = torch.stack([is_finite(each) for each in redrawn.unbind(1)]).all(0)
        return Found(scores, torch.where(finite, Reason.NO_CONTRAST, Reason.NOT_FINITE))

    return judge


def _subsets(context: Context, rows: Sequence[int], maps: Maps, drops: Samples) -> dict[str, tuple[Samples, Samples]]:
    """Return the sums and the drops of each design, which `drops` holds one after the other."""
    cells = [subsets(context, row) for row in rows]
    pairs, start = {}, 0
    for design in cells[0]:
        each = [sums_over_cells(one[None], of_image[design])[0] for one, of_image in zip(maps, cells, strict=True)]
        sums = torch.stack(each)
        pairs[str(design)] = sums, drops[:, start : start + sums.shape[1]]
        start += sums.shape[1]
    return pairs


def _is_at_floor(random_curves: Curves) -> Tensor:
    """Return whether the first step takes nearly all of the answer that any number of steps takes, in random order."""
    left = random_curves.double() - random_curves.double().amin(1, keepdim=True)
    return (left[:, 0] > 0) & (left[:, 1] <= AT_FLOOR * left[:, 0])
