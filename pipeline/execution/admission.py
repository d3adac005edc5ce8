"""The admission of a network and its images: what every command refuses and notes before it works on them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from pipeline.execution.self_checks import check_subject
from pipeline.execution.subjects import Subject
from pipeline.inputs.answers import find_right, logits_of, refuse_constant, refuse_other_channels, refuse_unless_logits
from pipeline.inputs.data import Data
from pipeline.inputs.outputs import modules_that_answer
from pipeline.machine.phases import Phase, Tell, count_aloud, tell_nobody
from pipeline.spec.audit import AuditSpec
from pipeline.spec.data import GRIDS
from pipeline.spec.model import ModelSpec
from pipeline.store.attributes import CheckResult
from srd.precision import PRODUCTS, products_of

NEAR_CHANCE = 0.1
"""The accuracy above chance, up to twice as much, that is near chance."""


SHOWN = 40
"""The labels whose accuracy is told one by one."""


@dataclass(frozen=True)
class Admission:
    """The findings about a subject that was not refused."""

    logits: Tensor
    """The logits of all clean images."""
    correct: int
    """The number of clean images that are classified as labelled."""
    notes: tuple[str, ...]
    """Sentences on the input: what was left out or unwrapped, an accuracy near chance, products of full precision."""
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
    right = find_right(logits, torch.tensor(subject.data.labels), spec.model)
    read = spec.model_copy(update={"model": subject.model.spec})
    correct, labelled = int(right.sum()), _accuracy_per_label_in_words(spec.model, subject.data, right)
    low = _low_accuracy_in_words(read, subject.data, correct)
    products = _full_products_in_words(spec, subject.model.model.device)
    return Admission(logits, correct, (*subject.model.notes, *subject.data.notes, *labelled, *low, *products), checks)


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
    n_classes = len(data.classes)
    modules = partial(modules_that_answer, subject.model.model, data.images(rows[:2]), n_classes)
    refuse_unless_logits(logits, n_classes, spec.model, modules)
    return logits


def _accuracy_per_label_in_words(model: ModelSpec, data: Data, right: Tensor) -> Iterator[str]:
    """Yield how often the network finds each label that an image has, where an image may have several."""
    if model.multilabel:
        counts = Counter(data.labels)
        hits = Counter(label for label, is_right in zip(data.labels, right.tolist(), strict=True) if is_right)
        shown = ", ".join(f"{data.classes[label]} {hits[label]} of {n}" for label, n in sorted(counts.items())[:SHOWN])
        yield f"accuracy per label (logit above 0): {shown}{', ...' * (len(counts) > SHOWN)}"


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


def _full_products_in_words(spec: AuditSpec, device: torch.device) -> Iterator[str]:
    """Yield which methods the spec wants in mixed precision, if the device has no instructions for it."""
    mixed = [name for name, options in spec.explain.options.items() if options.get("precision") == "mixed"]
    if mixed and products_of("mixed", device) == PRODUCTS["full"]:
        yield (
            f"precision = 'mixed' of {', '.join(mixed)} is 'full' here: the {device.type} has no instructions for "
            "bfloat16, in which products would be slower, not faster"
        )
