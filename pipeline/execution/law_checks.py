"""The self-checks of methods: each keeps its own law on the audited network, or is refused or marked by name."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.execution.subjects import Subject
from pipeline.machine import seeds
from pipeline.machine.phases import Tell, name_aloud, tell_nobody
from pipeline.spec.audit import AuditSpec
from pipeline.stages.context import arguments
from pipeline.store.attributes import CheckResult
from srd.entries import AttributorEntry
from srd.errors import UnsupportedOperation
from srd.laws import Balance, check_law
from srd.registry import ATTRIBUTORS
from srd.types import Inputs, Target

IMAGES = 2
"""The number of images on which a law is checked; one, if the method draws and so has to run several times."""

Sample = tuple[str, Inputs, Target]
"""The id of an image, the image as the network reads it, and its explained class, both as a batch of one."""


def check_laws(
    spec: AuditSpec, subject: Subject, target: NDArray[np.int64], tell: Tell = tell_nobody
) -> tuple[CheckResult, ...]:
    """Check the law of each method that states one, and return what was found.

    A method that does not conserve relevance has overlooked an operation, so it is refused. A method whose maps are not
    complete on a network is marked.

    Raises
    ------
    UnsupportedOperation
        If a method does not conserve relevance.
    """
    names = [name for name in spec.explain.methods if ATTRIBUTORS[name].law]
    samples = list(_samples(subject, target))
    told = name_aloud(names, "checking the law of method", tell)
    return tuple(_check(ATTRIBUTORS[name], spec, subject, samples) for name in told)


def _check(entry: AttributorEntry, spec: AuditSpec, subject: Subject, samples: Sequence[Sample]) -> CheckResult:
    balances = list(_balances(entry, spec, subject, samples))
    gap = max(float(balance.gap.nan_to_num(0).max()) for balance in balances)
    breaks = any(bool((balance.gap > balance.tolerance).any()) for balance in balances)
    if breaks and entry.law == "conservation":
        raise UnsupportedOperation(
            f"method {entry.name!r} does not conserve relevance on this network: {gap:.2%} of it are neither in the "
            "map nor counted as lost, so it overlooks an operation; leave the method out of explain.methods"
        )
    found = f"not complete on this network: {100 * gap:.1f} %" if breaks else f"holds, the gap is {gap:.2g}"
    return CheckResult(name=f"{entry.title}: {entry.law}", found=found, method=entry.name, is_marked=breaks)


def _samples(subject: Subject, target: NDArray[np.int64]) -> Iterator[Sample]:
    model, data = subject.model.model, subject.data
    for row in range(min(IMAGES, len(data.ids))):
        inputs = model.normalise(data.images([row]).to(model.device))
        yield data.ids[row], inputs, torch.from_numpy(target[row : row + 1]).to(model.device)


def _balances(
    entry: AttributorEntry, spec: AuditSpec, subject: Subject, samples: Sequence[Sample]
) -> Iterator[Balance]:
    model = subject.model.model
    options = arguments(spec, model, subject.data, entry.name)
    for name, inputs, explained in samples[: 1 if entry.stochastic else IMAGES]:
        streams = [seeds.generator(spec.run.seed, "law", name, entry.name)]
        yield check_law(entry, model.network, inputs, explained, streams, **options)
