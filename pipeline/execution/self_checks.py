"""The self-checks: what is asked of the network before any task, since a wrong answer makes all numbers false."""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import numpy as np
import torch
from torch import Tensor

from attacks.explanations.slopes import slope_error
from attacks.types import Images, Model
from pipeline.execution.subjects import Subject
from pipeline.inputs.answers import logits_of
from pipeline.spec.audit import AuditSpec
from pipeline.store.attributes import CheckResult
from srd.eager import eager_passes
from srd.errors import ModelError
from srd.registry import ATTRIBUTORS
from srd.types import Scores

State = Iterator[tuple[str, object]]

IMAGES = 4
"""The number of images that are asked about."""
BATCH_TOLERANCE = 1e-3
"""The largest change of a logit by other images of the batch, or by gradients, as a share of the largest logit. Sums in
another order change float32 logits of deep networks by about 1e-5."""

SLOPE_TOLERANCE = 0.01
"""The largest difference of slope and gradient, as a share of the slope along the gradient or of a typical slope."""
NUDGES = (1e-5, 1e-7)
"""Lengths of the moves of an image in [0, 1] by which slopes are measured: the better one counts."""

PYTHONS = getattr(random.random, "__self__")  # noqa: B009  typed as a function
"""Python's global generator."""
PASSES = 5
"""The number of passes that must all change a global generator before the network is blamed: another thread may draw
from it now and then."""


@dataclass(frozen=True)
class Question:
    """A model and the first images of an audit."""

    model: Model
    images: Images
    place: str
    """The beginning of a refusal."""
    methods: Sequence[str] = ()
    """The methods that differentiate the network."""

    def ask(self, images: Images) -> Tensor:
        """Return the logits of images."""
        with torch.no_grad():
            return logits_of(self.model, images, self.place)


SelfCheck = Callable[[Question], str]
"""A function that refuses a model, or says what was found."""


def check_subject(spec: AuditSpec, subject: Subject) -> tuple[CheckResult, ...]:
    """Check that the model's answer is a function of the image, and return what was found.

    Raises
    ------
    ModelError
        If it is not.
    """
    rows = range(min(IMAGES, len(subject.data.ids)))
    methods = [name for name in spec.explain.methods if ATTRIBUTORS[name].differentiable]
    question = Question(subject.model.model, subject.data.images(rows), f"model.spec = {spec.model.spec!r}", methods)
    return tuple(CheckResult(name=name, found=check(question)) for name, check in SELF_CHECKS.items())


def check_two_passes(question: Question) -> str:
    """Refuse a model that answers two times differently."""
    first, second = question.ask(question.images), question.ask(question.images)
    if not torch.equal(first, second):
        raise ModelError(
            f"{question.place}: two passes over the same images gave different answers, which differ by up to "
            f"{_largest(first - second):.2g}: something in forward is random also in evaluation mode; "
            "make dropout, noise and sampling depend on self.training"
        )
    return f"two passes over {len(question.images)} images gave the same bits"


def check_batch(question: Question) -> str:
    """Refuse a model whose answer for an image depends on the other images of the batch."""
    if len(question.images) == 1:
        return "not asked: there is one image"
    together = question.ask(question.images)
    alone = torch.cat([question.ask(image[None]) for image in question.images])
    change = _largest(together - alone) / max(_largest(together), torch.finfo(together.dtype).tiny)
    if not change <= BATCH_TOLERANCE:
        raise ModelError(
            f"{question.place}: the answer for an image depends on the other images of its batch: logits change by up "
            f"to {change:.2g} of the largest; use no statistics of the batch in evaluation mode"
        )
    return f"alone and in a batch of {len(together)}, logits differ by at most {change:.1g} of the largest"


def check_state(question: Question) -> str:
    """Refuse a model whose forward pass changes the model or a global random generator."""
    changed = [*_find_changes(question, _module_state), *_find_changes_of_generators(question)]
    if changed:
        raise ModelError(
            f"{question.place}: a forward pass in evaluation mode changes {changed[0]}; "
            "let forward leave the network and the global generators as it finds them"
        )
    return "parameters, buffers, modes and the global random generators stayed as they were"


def check_input(question: Question) -> str:
    """Say whether the network writes into its input: it is then given copies."""
    inputs = question.model.normalise(question.images.to(question.model.device))
    before = inputs.clone()
    with torch.no_grad(), eager_passes():
        question.model.network(inputs)
    return "the input stayed as it was" if torch.equal(before, inputs) else "the network writes into its input"


def check_gradients(question: Question) -> str:
    """Refuse a model that answers otherwise where it is differentiated, as methods do, than where it is only asked."""
    asked = question.ask(question.images)
    with torch.enable_grad():
        images = question.images.clone().requires_grad_()
        differentiated = logits_of(question.model, images, question.place).detach()
    change = _largest(differentiated - asked) / max(_largest(asked), torch.finfo(asked.dtype).tiny)
    if not change <= BATCH_TOLERANCE:
        raise ModelError(
            f"{question.place}: the answer depends on whether gradients are on: logits change by up to {change:.2g} of "
            "the largest, so that maps would explain another function; let forward not ask for torch.is_grad_enabled() "
            "or requires_grad"
        )
    return f"with gradients and without, logits differ by at most {change:.1g} of the largest"


def check_slope(question: Question) -> str:
    """Refuse a model whose gradient, on which methods build their maps, is not the slope of its highest logit.

    In double precision, near the first image, the slope along two directions is a central difference: the gradient's
    own, and a random one, along which it is measured in units of the mean slope of a random direction.
    """
    if not question.methods:
        return "not asked: no method differentiates the network"
    try:
        error = _slope_error(question)
    except (ModelError, RuntimeError, TypeError, ZeroDivisionError) as reason:
        return f"not asked: {_first_line(reason)}"
    if not error <= SLOPE_TOLERANCE:
        raise ModelError(
            f"{question.place}: the gradient of the highest logit is not its slope, but {error:.2g} of it away: a "
            "hook, detach, a straight-through step or a custom backward changes gradients, so that maps are of another "
            f"function; take it out, or leave {', '.join(question.methods)} out of explain.methods"
        )
    return f"the gradient of the highest logit is its slope, {error:.1g} of it away"


SELF_CHECKS: dict[str, SelfCheck] = {
    "the same answer twice": check_two_passes,
    "the same answer with gradients": check_gradients,
    "a gradient that is the slope": check_slope,
    "an answer for each image alone": check_batch,
    "a network that stays as it is": check_state,
    "an input that stays as it is": check_input,
}
"""The self-checks by what they ask for, in the order in which they are made."""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _slope_error(question: Question) -> float:
    model = question.model.in_double()
    stream = torch.Generator().manual_seed(0)
    noise, other = torch.randn(2, *question.images[:1].shape, generator=stream, dtype=torch.float64)
    at = (0.05 + 0.9 * question.images[:1].double() + 0.01 * noise).to(model.device).requires_grad_()  # off the edges
    with torch.enable_grad():
        logits = logits_of(model, at, question.place)
        explained = int(logits.argmax())
        (gradient,) = torch.autograd.grad(logits[0, explained], at)
    if not gradient.any():
        raise ZeroDivisionError("the gradient is 0")

    def value(images: Images) -> Scores:
        with torch.no_grad():
            return logits_of(model, images, question.place)[:, explained]

    return float(slope_error(value, at.detach(), gradient, other.to(at), NUDGES))


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _find_changes(question: Question, state: Callable[[Model], State]) -> list[str]:
    """Return the names of what is not as it was after a forward pass."""
    before = dict(state(question.model))
    question.ask(question.images)
    return [name for name, value in state(question.model) if not _is_same(before.get(name), value)]


def _find_changes_of_generators(question: Question) -> list[str]:
    """Return the names of the global generators that every one of several passes changes, and leave them as found."""
    found = torch.get_rng_state(), np.random.get_state(), random.getstate()
    changed = ["torch", "NumPy", "Python"]
    try:
        for _ in range(PASSES):
            _draw_from_generators()  # else a fixed seed that forward sets changes nothing from the second pass on
            changed = [name for name in _find_changes(question, _generator_state) if name in changed]
            if not changed:
                break
    finally:
        torch.set_rng_state(found[0])
        np.random.set_state(found[1])
        random.setstate(found[2])
    if "Python" in changed and not _draws_by_python(question):
        changed.remove("Python")
    return [f"{name}'s global generator" for name in changed]


def _draws_by_python(question: Question) -> bool:
    """Return whether a forward pass uses Python's global generator in this thread.

    On a worker other threads use it as well, during every pass of a slow network.
    """
    users: list[object] = []

    def watch(frame: FrameType, event: str, called: object) -> None:
        is_builtin = event == "c_call" and getattr(called, "__self__", None) is PYTHONS
        is_method = event == "call" and frame.f_code.co_filename == random.__file__
        if is_builtin or (is_method and frame.f_locals.get("self") is PYTHONS):
            users.append(called)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        question.ask(question.images)
    finally:
        sys.setprofile(before)
    return bool(users)


def _draw_from_generators() -> None:
    torch.rand(1)
    np.random.random()
    random.random()


def _module_state(model: Model) -> State:
    """Yield all of the network that a forward pass must leave as it is, by name."""
    for name, tensor in (*model.network.named_parameters(), *model.network.named_buffers()):
        yield name, tensor.detach().clone()
    for name, module in model.network.named_modules():
        yield f"the mode of {name or 'the network'}", module.training


def _generator_state(_: Model) -> State:
    yield "torch", torch.get_rng_state()
    yield "NumPy", str(np.random.get_state())
    yield "Python", random.getstate()


def _is_same(before: object, after: object) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        return before.shape == after.shape and before.dtype == after.dtype and torch.equal(before, after)
    return before == after
