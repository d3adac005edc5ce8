"""Functions of one number that a network writes out as several operations, such as `torch.where(x > 0, x, 0)`."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from weakref import ref

import torch
from torch import Tensor

from srd import operations
from srd.calls import Call
from srd.functions import Elementwise
from srd.provenance import Provenance, Source, Step, identity

Narrowing = Callable[[Tensor, tuple[int, ...]], Tensor | None]
"""(constant, axes of positions, counted from the last) -> the constant at one position; None if positions differ."""


class _Ancestor(NamedTuple):
    """A tensor of which another one is an elementwise function."""

    tensor: Tensor
    function: Elementwise


class WrittenOut:
    """Finds the tensor, and the function of one number, from which a call makes each element of its result."""

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance

    def steps(self, call: Call, result: object) -> Sequence[Step]:
        """Return how an elementwise operation made its result from earlier tensors, which are not kept alive."""
        if call.name not in operations.ELEMENTWISE or any(result is tensor for tensor in call.carried):
            return ()
        source = self._source(call, _narrowed_by_shape)
        if source is None:
            return ()
        line = self._ancestors(source.before)
        return [Step(ref(each.tensor), partial(_after, source.phi, each.function)) for each in line]

    def source(self, call: Call) -> Source | None:
        """Return the nearest tensor of which the result of the call, an elementwise operation, is a function.

        Constants that the function reads differ between channels at most.
        """
        return self._source(call, _narrowed_by_value)

    def _source(self, call: Call, narrowed: Narrowing) -> Source | None:
        lines = [self._ancestors(tensor) for tensor in call.carried]
        functions = next(filter(None, (_functions_of(ancestor.tensor, lines) for ancestor in lines[0])), None)
        if functions is None:
            return None
        before = functions[0].tensor
        constants = self._constants(call, before, narrowed)
        if constants is None:
            return None
        made = {id(tensor): each.function for tensor, each in zip(call.carried, functions, strict=True)}
        return Source(before, _compose(call, made, constants))

    def _constants(self, call: Call, before: Tensor, narrowed: Narrowing) -> Mapping[int, Tensor] | None:
        """Return, for each constant by its `id`, what stands for it at every position; None if positions differ."""
        channels = self._provenance[before].channels
        if channels is None:
            return None
        axes = tuple(axis - before.dim() for axis in range(before.dim()) if axis not in channels)
        others = [each for each in call.operands if all(each is not tensor for tensor in call.carried)]
        if call.name in operations.LIKE:
            return {id(other): other.new_empty(0) for other in others}
        narrow = {id(other): each for other in others if (each := narrowed(other, axes)) is not None}
        fit = len(narrow) == len({id(other) for other in others}) and all(
            _fits(each, before) for each in narrow.values()
        )
        return narrow if fit else None

    def _ancestors(self, tensor: Tensor) -> Sequence[_Ancestor]:
        """Return the tensor itself and those of which it is an elementwise function, the nearest first."""
        record = self._provenance[tensor]
        found = ((step.before(), step.phi) for step in record.steps)
        line = [_Ancestor(tensor, identity), *(_Ancestor(before, phi) for before, phi in found if before is not None)]
        if record.activated is None or len(line) > 1:
            return line
        phi = record.activated.phi
        further = self._ancestors(record.activated.before)
        return [*line, *(_Ancestor(each.tensor, partial(_after, phi, each.function)) for each in further)]


def _functions_of(before: Tensor, lines: Sequence[Sequence[_Ancestor]]) -> list[_Ancestor] | None:
    """Return, for each line, how its first tensor is made from `before`; None if one is not."""
    found = [next((ancestor for ancestor in line if ancestor.tensor is before), None) for line in lines]
    return None if any(each is None for each in found) else [each for each in found if each is not None]


def _after(second: Elementwise, first: Elementwise, x: Tensor) -> Tensor:
    return second(first(x))


def _compose(call: Call, made: Mapping[int, Elementwise], constants: Mapping[int, Tensor]) -> Elementwise:
    """Return the call as a function of one tensor, of which `made` makes its operands. It keeps none of these."""
    gaps = {operand: torch.empty(0) for operand in made}
    template = call.replacing({**gaps, **constants}, ())
    functions = [(id(gap), made[operand], gap) for operand, gap in gaps.items()]

    def phi(x: Tensor) -> Tensor:
        result: Tensor = template.replacing({gap: function(x) for gap, function, _ in functions}, ())()
        return result

    return operations.under_these_modes(phi)


def _fits(constant: Tensor, before: Tensor) -> bool:
    """Return whether a result of both has the shape of `before`."""
    axes = zip(reversed(constant.shape), reversed(before.shape), strict=False)
    return constant.dim() <= before.dim() and all(size in {1, there} for size, there in axes)


def _narrowed_by_shape(constant: Tensor, axes: tuple[int, ...]) -> Tensor | None:
    return constant if all(constant.shape[axis] == 1 for axis in axes if -axis <= constant.dim()) else None


def _narrowed_by_value(constant: Tensor, axes: tuple[int, ...]) -> Tensor | None:
    narrow = constant
    for axis in axes:
        if -axis <= constant.dim():
            narrow = narrow.narrow(axis, 0, 1)
    return narrow if narrow.shape == constant.shape or bool((narrow == constant).all()) else None
