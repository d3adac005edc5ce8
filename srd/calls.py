"""One call of a torch function, and its meaning for relevance."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from srd import operations
from srd.operations import Arguments, Function, Keywords
from srd.provenance import ConvolutionRecord, Source, Step, map_tensors, tensors
from srd.vectors import Channels


class Call(NamedTuple):
    """A function that writes nothing in place, and its arguments."""

    order: int
    name: str
    """The same name for a function and a method."""
    function: Function
    args: Arguments
    kwargs: Keywords
    carried: Sequence[Tensor]
    """The arguments that carry relevance."""

    @property
    def full_name(self) -> str:
        """Return the name that a user would look up."""
        return operations.full_name(self.function)

    @property
    def operands(self) -> list[Tensor]:
        """Return all tensors that the call reads, in order."""
        return tensors((self.args, self.kwargs))

    def __call__(self) -> Any:
        return self.function(*self.args, **self.kwargs)

    def replacing(self, substitutes: dict[int, Tensor], carried: Sequence[Tensor]) -> "Call":
        """Return the same call with other tensors in place of those whose `id` is a key."""
        args, kwargs = map_tensors(lambda tensor: substitutes.get(id(tensor), tensor), (self.args, self.kwargs))
        return self._replace(args=args, kwargs=kwargs, carried=carried)

    def of(self, before: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the call as a function of one of its operands, without a reference to this operand."""
        function, kwargs, others = self.function, self.kwargs, self.args[1:]
        if self.args and self.args[0] is before:
            return operations.under_these_modes(lambda tensor: function(tensor, *others, **kwargs))
        gap = torch.empty(0)
        template = self.replacing({id(before): gap}, ())
        return operations.under_these_modes(lambda tensor: template.replacing({id(gap): tensor}, ())())


class CallResult(NamedTuple):
    """The result of a call, and facts about it."""

    result: Any
    sources: Sequence[Tensor]
    """The tensors that supply the result with relevance."""
    channels: Channels = None
    activated: Source | None = None
    """How an activation can be computed again; None for other operations."""
    unknown: str | None = None
    """Name of an operation that has no rule."""
    may_be_activation: bool = False
    """Whether the operation may be an activation that is not seen as one."""
    is_weight: bool = False
    is_affine: bool = False
    convolved: ConvolutionRecord | None = None
    steps: Sequence[Step] = ()
    """Elementwise operations that may be parts of an activation."""
    continues: bool = False
    """Whether a batch norm is merged with the convolution whose output it reads."""
