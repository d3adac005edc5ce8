"""The admission of a network and its images: what every command refuses and notes before it works on them."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.execution.self_checks import check_subject
from pipeline.execution.subjects import Subject
from pipeline.inputs.data import Data
from pipeline.inputs.models import logits_of, refuse_constant, refuse_other_channels, refuse_unless_logits
from pipeline.machine.phases import Phase, Tell, count_aloud, tell_nobody
from pipeline.spec.audit import AuditSpec
from pipeline.spec.data import GRIDS
from pipeline.store.attributes import CheckResult

NEAR_CHANCE = 0.1
"""The accuracy above chance, up to twice as much, that is near chance."""


@dataclass(frozen=True)
class Admission:
    """The findings about a subject that was not refused."""

    logits: Tensor
    """The logits of all clean images."""
    correct: int
    """The number of clean images that are classified as labelled."""
    notes: tuple[str, ...]
    """Sentences on the input: what was left out or unwrapped, and an accuracy near chance."""
    checks: tuple[CheckResult, ...]
    """What was asked of the network, and found."""


def admit(spec: AuditSpec, subject: Subject, tell: Tell = tell_nobody) -> Admission:
    """Refuse a network whose answers to the images are no logits, or no function of the image; return what was found.

    Raises
    ------
    ModelError
        If the network is refused.
    """
    logits = clean_logits(spec, subject, tell)
    tell(Phase("checking the network"))
    checks = check_subject(spec, subject)
    correct = int((logits.argmax(1) == torch.tensor(subject.data.labels)).sum())
    notes = (*subject.model.notes, *subject.data.notes, *_low_accuracy_in_words(spec, subject.data, correct))
    return Admission(logits, correct, notes, checks)


def clean_logits(spec: AuditSpec, subject: Subject, tell: Tell = tell_nobody) -> Tensor:
    """Return the logits of all clean images, computed a tile at a time as the perturb stage does.

    Raises
    ------
    ModelError
        If the network fails, or if its outputs are no logits.
    """
    data, tile = subject.data, spec.run.tile
    rows = range(len(data.ids))
    place = f"model.spec = {spec.model.spec!r}"
    refuse_other_channels(spec.model, data.images(rows[:1]))
    starts = count_aloud(rows[::tile], "classifying the clean images, tile", tell)
    with torch.no_grad():
        tiles = [logits_of(subject.model.model, data.images(rows[i : i + tile]), place) for i in starts]
    logits = torch.cat(tiles).cpu()
    refuse_constant(logits, spec.model)  # first: a head of zeros is no sigmoid
    refuse_unless_logits(logits, len(data.classes), spec.model)
    return logits


def _low_accuracy_in_words(spec: AuditSpec, data: Data, correct: int) -> Iterator[str]:
    """Yield a warning if the accuracy on the clean images is near chance, which most often is a mistake of the spec.

    Of four classes that a grid shows, one is the label.
    """
    if spec.data.path == GRIDS:
        return
    accuracy, chance = correct / len(data.ids), 1 / len(data.classes)
    if accuracy < min(2 * chance, chance + NEAR_CHANCE):
        is_bare = spec.model.mean is None and not spec.model.spec.startswith("demo:")
        normalisation = "model.mean and model.std are not set" if is_bare else "model.mean and model.std"
        yield f"accuracy of {accuracy:.1%} is near chance ({chance:.1%}): check model.classes; {normalisation}"
