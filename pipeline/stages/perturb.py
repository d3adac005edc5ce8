"""The stage that makes every image under every condition."""

from collections.abc import Sequence
from functools import partial

import torch

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult, Perturbation
from pipeline.plan.conditions import CLEAN, Condition
from pipeline.plan.tasks import Task
from pipeline.stages.batches import ATTACKED, parts
from pipeline.stages.changes import answers, changes
from pipeline.stages.context import Context
from pipeline.stages.samples import images_at, options_of, samples
from pipeline.store.store import Arrays


def perturb(context: Context, task: Task) -> Arrays:
    """Perturb the tile's images as one condition says; compute the network's logits, and how far all that moved.

    For an attack on explanations the result also holds the evidence for or against its search.
    """
    condition = context.conditions[task.column]
    clean = images_at(context, context.rows(task))
    found = AttackResult(clean, {}) if condition.id == CLEAN else _perturb(context, task, condition)
    return arrays_of(context, task, found)


def arrays_of(context: Context, task: Task, found: AttackResult) -> Arrays:
    """Return the arrays of a task that has found these images."""
    is_clean = context.conditions[task.column].id == CLEAN
    answered = answers(context, found.images)
    unmoved = answered if is_clean else answers(context, images_at(context, context.rows(task)))
    arrays = {
        "input": found.images.cpu().numpy()[:, None],
        "prediction": answered.logits.cpu().numpy()[:, None],
        "change": changes(unmoved, answered).float().cpu().numpy()[:, None],
    }
    if found.evidence:
        evidence = torch.stack([found.evidence[name] for name in EVIDENCE], 1)
        arrays["attack_evidence"] = evidence.float().cpu().numpy()[:, None]
    if context.plan.writes_mask(task):
        rows = context.rows(task)
        arrays |= {"mask": context.data.masks(rows).numpy(), "ignored": context.data.ignored_pixels(rows).numpy()}
    return arrays


def _perturb(context: Context, task: Task, condition: Condition) -> AttackResult:
    entry, options = PERTURBATIONS[condition.name], options_of(context, condition)
    if entry.is_universal:
        entry = entry.application()
        options = {name: value for name, value in options.items() if name in {"attributor", *entry.options}}
        found = context.store.read_output(Task("fit", 0, task.column), ["displacement"])
        options["displacement"] = torch.from_numpy(found["displacement"]).to(context.model.device)
    attack = partial(entry.load(), **options)
    if not condition.against:
        return _attack(context, attack, condition, context.rows(task))
    rows, at_once = context.rows(task), images_at_once(context)
    return _join([_attack(context, attack, condition, rows[part]) for part in parts(len(rows), at_once)])


def images_at_once(context: Context) -> int:
    """Return how many images an attack through a method moves together; each has an attack of its own."""
    return max(1, context.rows_at_once // ATTACKED)


def _attack(context: Context, attack: Perturbation, condition: Condition, rows: range) -> AttackResult:
    generators = context.generators("perturb", rows, condition.id)
    result = attack(context.model, samples(context, rows), condition.strength, generators)
    return result if isinstance(result, AttackResult) else AttackResult(result, {})


def _join(found: Sequence[AttackResult]) -> AttackResult:
    """Return the results for some images after one another as one result."""
    evidence = {name: torch.cat([each.evidence[name] for each in found]) for name in found[0].evidence}
    return AttackResult(torch.cat([each.images for each in found]), evidence)
