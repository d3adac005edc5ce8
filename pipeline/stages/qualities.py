"""The metrics of clean maps and of what the network answered, and why one is NaN: a loop over what metrics are of."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch

from pipeline.plan.schema import Question, Reason
from pipeline.plan.tasks import Task
from pipeline.stages.asked import is_asked
from pipeline.stages.context import Context
from pipeline.stages.evidence import Found, ReadEvidence, read_answers, read_redrawn
from pipeline.store.store import Arrays
from srd.entries import AttributorEntry, MetricEntry
from srd.metrics._maps import has_order, is_finite
from srd.registry import ATTRIBUTORS, QUALITIES
from srd.types import Maps

EVIDENCE: Mapping[Question, tuple[str, ReadEvidence]] = MappingProxyType(
    {"faithfulness": ("remove", read_answers), "randomisation": ("randomise", read_redrawn)}
)
"""Of each question a stage that asks it, and the function that reads what is stored of the images asked about."""


def qualities(context: Context, task: Task, clean: Maps) -> Arrays:
    """Return the score of every clean map by every metric that asks the network, and the reasons."""
    scores = torch.full((len(clean), len(QUALITIES)), torch.nan)
    reasons = torch.full(scores.shape, int(Reason.NOT_ASKED))
    method = ATTRIBUTORS[context.spec.explain.methods[task.column]]
    for question, (stage, read) in EVIDENCE.items():
        asked = is_asked(context, replace(task, stage=stage))
        if not asked.any():
            continue
        evidence = read(context, task, clean[asked])
        for column, entry in enumerate(QUALITIES.values()):
            if entry.category == question:
                found = _judge(entry, method, evidence(entry), clean[asked])
                scores[asked, column], reasons[asked, column] = found.scores.float(), found.reasons.long()
    return {"quality_score": scores.numpy()[:, None], "quality_reason": reasons.to(torch.uint8).numpy()[:, None]}


def _judge(entry: MetricEntry, method: AttributorEntry, found: Found, maps: Maps) -> Found:
    """Return the scores with the reasons of those that are NaN: the method's, else the map's, else the network's."""
    reason = _reason_of_method(entry, method)
    if reason != Reason.DEFINED:
        nothing = torch.full_like(found.scores, torch.nan)
        return Found(nothing, torch.full_like(nothing, int(reason)))
    reasons = found.reasons.masked_fill(~has_order(maps), Reason.NO_CONTRAST)
    reasons = reasons.masked_fill(~is_finite(maps), Reason.NOT_FINITE)
    return Found(found.scores, reasons.where(found.scores.isnan(), Reason.DEFINED))


def _reason_of_method(entry: MetricEntry, method: AttributorEntry) -> Reason:
    """Return why a metric is undefined for all maps of a method, DEFINED if it is not."""
    if entry.needs_sign and not method.signed:
        return Reason.UNSIGNED_METHOD
    claims_black = method.law == "completeness" and "baseline" in method.needs  # others start from other baselines
    return Reason.NOT_CLAIMED if entry.of == "sum" and not claims_black else Reason.DEFINED
