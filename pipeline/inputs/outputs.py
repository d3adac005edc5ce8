"""The part of a network's output that holds the logits: chosen by hooks, so that the names of its modules stay."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields, is_dataclass
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor, nn

from attacks.types import Images, Model
from pipeline.inputs.answers import ask
from pipeline.machine.files import LONG
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import ModelError

Parts = Mapping[str | int, Any]
OF_MODULE = "output of "
"""The beginning of `model.output` that names a module."""
WAY_OUT = "set model.output to the part that holds the logits"


def settle_output(model: Model, spec: ModelSpec, images: Images, n_classes: int) -> tuple[str, ...]:
    """Let the network answer with its logits alone, as the spec says or as one image shows; return what was chosen.

    Parameters
    ----------
    images
        One image, which shows what the network answers with.

    Raises
    ------
    ModelError
        If the spec names what is not there, or if it names nothing and not exactly one part can be the logits.
    """
    network, place = model.network, f"model.spec = {spec.spec!r}"
    notes: tuple[str, ...] = ()
    if isinstance(spec.output, str) and spec.output.startswith(OF_MODULE):
        _read_module(network, spec.output.removeprefix(OF_MODULE), place)
    elif spec.output is not None:
        network.register_forward_hook(_Part(spec.output, place))
    else:
        output = ask(model, images, place)
        if not isinstance(output, Tensor):
            name = _only_candidate(output, (len(images), 1 if spec.binary else n_classes), place)
            network.register_forward_hook(_Part(name, place))
            notes = (f"model.output: {name!r} of the {type(output).__name__} is read, its only part of that shape",)
    if spec.binary:
        network.register_forward_hook(_TwoClasses(place))
    return notes


def count_outputs(model: Model, spec: ModelSpec, images: Images) -> int:
    """Return how many numbers the network answers with for an image, where no data say how many classes there are.

    Raises
    ------
    ModelError
        If the answer has several parts, of which not exactly one has a row for each image.
    """
    output, place = ask(model, images, f"model.spec = {spec.spec!r}"), f"model.spec = {spec.spec!r}"
    if isinstance(output, Tensor):
        return output[0].numel()
    shapes = {name: tuple(part.shape) for name, part in _parts(output).items() if isinstance(part, Tensor)}
    found = {shape[1] for shape in shapes.values() if len(shape) == 2 and shape[0] == len(images)}
    if len(found) != 1:
        seen = shorten(", ".join(f"{name!r} {theirs}" for name, theirs in shapes.items()), LONG) or "no tensor"
        raise ModelError(f"{place}: the output is a {type(output).__name__} of {seen}; {WAY_OUT}")
    return found.pop()


def modules_that_answer(model: Model, images: Images, n_classes: int) -> tuple[str, ...]:
    """Return the modules, the last first, whose output has the shape of logits and is none of a softmax or sigmoid."""
    found: dict[str, Tensor] = {}
    with torch.no_grad(), ExitStack() as stack:
        for name, module in model.network.named_modules():
            if name:
                hook = module.register_forward_hook(lambda _, __, made, name=name: found.update({name: made}))
                stack.callback(hook.remove)
        ask(model, images, "model.output")
    shape = (len(images), n_classes)
    tensors = {name: made for name, made in found.items() if isinstance(made, Tensor) and made.shape == shape}
    return tuple(name for name, made in reversed(tensors.items()) if not _is_bounded(made))


@dataclass(frozen=True)
class _Part:
    """A hook that answers with one part of the output."""

    name: str | int
    place: str

    def __call__(self, _: nn.Module, __: Any, output: Any) -> Any:
        parts = _parts(output)
        if isinstance(output, (tuple, list)) and isinstance(self.name, int) and -len(output) <= self.name < len(output):
            return output[self.name]
        if self.name not in parts:
            raise ModelError(
                f"{self.place}: model.output = {self.name!r}: the output is a {type(output).__name__} without it; "
                f"{closest(str(self.name), map(str, parts)) if parts else 'remove the key'}"
            )
        return parts[self.name]


@dataclass(frozen=True)
class _TwoClasses:
    """A hook that makes of one logit z the logits -z / 2 and z / 2 of two classes, whose softmax is its sigmoid."""

    place: str

    def __call__(self, _: nn.Module, __: Any, output: Any) -> Tensor:
        if not isinstance(output, Tensor) or output.dim() not in {1, 2} or output.shape[1:] not in {(), (1,)}:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ModelError(
                f"{self.place}: model.binary is set, but the output is {shape}, not one logit for each image; remove it"
            )
        logit = output.reshape(-1, 1)
        return torch.cat([-0.5 * logit, 0.5 * logit], 1)


class _ModuleOutput:
    """Hooks that answer with the output of a module within."""

    def __init__(self, name: str, place: str) -> None:
        self._name, self._place = name, place
        self._made: list[Any] = []

    def forget(self, _: nn.Module, __: Any) -> None:
        """Forget what a pass has left that did not come to its end."""
        self._made.clear()

    def keep(self, _: nn.Module, __: Any, output: Any) -> None:
        """Keep the output of the module."""
        self._made.append(output)

    def give(self, _: nn.Module, __: Any, ___: Any) -> Any:
        """Return the output that was kept."""
        if len(self._made) != 1:
            raise ModelError(
                f"{self._place}: model.output: {self._name!r} was called {len(self._made)} times in one pass; name a "
                "module that is called once"
            )
        return self._made.pop()


def _read_module(network: nn.Module, name: str, place: str) -> None:
    known = dict(network.named_modules())
    if not name or name not in known:
        raise ModelError(f"{place}: model.output: no module is called {name!r}; {closest(name, filter(None, known))}")
    hooks = _ModuleOutput(name, place)
    network.register_forward_pre_hook(hooks.forget)
    known[name].register_forward_hook(hooks.keep)
    network.register_forward_hook(hooks.give)


def _parts(output: Any) -> Parts:
    """Return the parts of an output by the name or number by which it gives them."""
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return dict(zip(output._fields, output, strict=True))
    if isinstance(output, (tuple, list)):
        return dict(enumerate(output))
    if is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in fields(output)}
    return dict(getattr(output, "__dict__", {}))


def _only_candidate(output: Any, shape: tuple[int, int], place: str) -> str | int:
    parts = _parts(output)
    shapes = {name: tuple(part.shape) for name, part in parts.items() if isinstance(part, Tensor)}
    found = [name for name, theirs in shapes.items() if theirs == shape or (shape[1] == 1 and theirs == shape[:1])]
    kind = type(output).__name__
    if len(found) > 1:
        raise ModelError(
            f"{place}: the output is a {kind} in which {', '.join(map(repr, found))} have the shape of logits, "
            f"{shape}; {WAY_OUT}, such as {found[0]!r}"
        )
    if not found:
        seen = shorten(", ".join(f"{name!r} {theirs}" for name, theirs in shapes.items()), LONG) or "no tensor"
        raise ModelError(
            f"{place}: the output is a {kind} in which nothing has the shape of logits, {shape}, but {seen}; {WAY_OUT}"
        )
    return found[0]


def _is_bounded(values: Tensor) -> bool:
    """Return whether values may be those of a softmax, its logarithm or a sigmoid."""
    return bool(((values >= 0) & (values <= 1)).all() or (values <= 0).all())
