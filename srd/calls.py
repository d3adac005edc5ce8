"""One call of a torch function, and what it means for relevance."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from srd import operations
from srd.operations import Arguments, Function, Keywords
from srd.provenance import ConvolutionRecord, Source, map_tensors, tensors
from srd.vectors import Channels


class Call(NamedTuple):
    """A function that writes nothing in place, and what it is called with."""

    order: int
    name: str
    """The same for a function and a method."""
    function: Function
    args: Arguments
    kwargs: Keywords
    carried: Sequence[Tensor]
    """Those of its arguments that carry relevance."""

    @property
    def full_name(self) -> str:
        """As a user would look it up."""
        return operations.full_name(self.function)

    @property
    def operands(self) -> list[Tensor]:
        """All tensors it reads, in order."""
        return tensors((self.args, self.kwargs))

    def __call__(self) -> Any:
        return self.function(*self.args, **self.kwargs)

    def replacing(self, substitutes: dict[int, Tensor], carried: Sequence[Tensor]) -> "Call":
        """The same call with other tensors for those whose `id` is a key."""
        args, kwargs = map_tensors(lambda tensor: substitutes.get(id(tensor), tensor), (self.args, self.kwargs))
        return self._replace(args=args, kwargs=kwargs, carried=carried)

    def of(self, before: Tensor) -> Callable[[Tensor], Tensor]:
        """The call as a function of one of its operands, which it does not keep alive."""
        function, kwargs, others = self.function, self.kwargs, self.args[1:]
        if self.args and self.args[0] is before:
            return operations.under_these_modes(lambda tensor: function(tensor, *others, **kwargs))
        gap = torch.empty(0)
        template = self.replacing({id(before): gap}, ())
        return operations.under_these_modes(lambda tensor: template.replacing({id(gap): tensor}, ())())


class CallResult(NamedTuple):
    """The result of a call, and what is known of it."""

    result: Any
    sources: Sequence[Tensor]
    """The tensors that supply it with relevance."""
    channels: Channels = None
    activated: Source | None = None
    """Of an activation."""
    unknown: str | None = None
    """The name of an operation without a rule."""
    is_weight: bool = False
    is_affine: bool = False
    convolved: ConvolutionRecord | None = None
    continues: bool = False
    """Whether a batch norm is one with the convolution whose output it reads."""
