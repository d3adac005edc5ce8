"""The trial of methods on one image: which of them explain a network, how long a map takes, and what its law says."""

import re
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.estimate.inspected import Encoder, Method
from pipeline.execution.law_checks import check_laws
from pipeline.execution.preparation import try_methods
from pipeline.execution.subjects import Subject
from pipeline.machine.phases import Tell, name_aloud
from pipeline.spec.audit import AuditSpec, ExplainSpec
from srd.errors import AuditError, InputError, UnsupportedOperation
from srd.laws import REPEATS
from srd.registry import ATTRIBUTORS

T = TypeVar("T")

PASSES = re.compile(r"(\w+) x 1 forward$")
"""The end of the cost of a method that asks the network about many changed images."""
DEAR = 5.0
"""A map that would take more seconds, by the number of its passes, is not made; nor is a law checked by such."""
CHEAP = 0.5
"""A map that took fewer seconds is made twice: the first time warms up."""


def try_each_method(
    spec: AuditSpec, subject: Subject, target: NDArray[np.int64], encoder: Encoder, tell: Tell
) -> tuple[Method, ...]:
    """Return what came of each method of a spec; none of them ends the trial.

    Parameters
    ----------
    target
        The explained class of each of the first images.
    encoder
        The end of the encoder, whose channels some methods remove one by one.
    """
    passing = _forward_seconds(subject)
    names = name_aloud(spec.explain.methods, "trying method", tell)
    return tuple(_try(_alone(spec, name), subject, target, _passes(spec, name, encoder) * passing) for name in names)


def _try(spec: AuditSpec, subject: Subject, target: NDArray[np.int64], expected: float) -> Method:
    (name,) = spec.explain.methods
    if expected > DEAR:
        return Method(name, expected, False)
    try:
        make_map = partial(try_methods, spec, subject, target)
        seconds, resolutions = _time(make_map)
        seconds = min(seconds, _time(make_map)[0]) if seconds < CHEAP else seconds
        law = _law(spec, subject, target, seconds)
    except (UnsupportedOperation, InputError) as error:
        said = error.__cause__ if isinstance(error.__cause__, AuditError) else error  # without advice for a spec
        return Method(name, None, False, refusal=str(said))
    return Method(name, seconds, True, resolutions[name], law)


def _law(spec: AuditSpec, subject: Subject, target: NDArray[np.int64], seconds: float) -> str:
    entry = ATTRIBUTORS[spec.explain.methods[0]]
    if not entry.law or seconds * (REPEATS if entry.stochastic else 1) > DEAR:
        return ""
    (check,) = check_laws(spec, subject, target)
    return f"{entry.law} {check.found}"


def _alone(spec: AuditSpec, name: str) -> AuditSpec:
    """Return the spec with one method."""
    options = {key: value for key, value in spec.explain.options.items() if key == name}
    explain = ExplainSpec(methods=(name,), options=options, target=spec.explain.target)
    return spec.model_copy(update={"explain": explain})


def _passes(spec: AuditSpec, name: str, encoder: Encoder) -> int:
    """Return how many forward passes a map takes, of methods whose maps take many; else 0."""
    found = PASSES.search(ATTRIBUTORS[name].cost)
    if not found:
        return 0
    options = {**ATTRIBUTORS[name].options, **spec.explain.options.get(name, {})}
    return int(options.get(found[1], encoder.shape[0] if encoder.shape else 0))


def _forward_seconds(subject: Subject) -> float:
    model = subject.model.model
    images = subject.data.images(range(1)).to(model.device)
    with torch.no_grad():
        return min(_time(partial(model, images))[0] for _ in range(2))


def _time(function: Callable[[], T]) -> tuple[float, T]:
    began = perf_counter()
    result = function()
    return perf_counter() - began, result
