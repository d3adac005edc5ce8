"""One call of a torch function, and what it means for relevance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from srd import operations
from srd.operations import Arguments, Function, Keywords
from srd.provenance import Convolved, mapped, tensors
from srd.vectors import Channels


@dataclass(frozen=True)
class Call:
    """A function that writes nothing in place, and what it is called with."""

    order: int
    function: Function
    args: Arguments
    kwargs: Keywords
    carried: Sequence[Tensor]
    """Those of its arguments that carry relevance."""

    @property
    def name(self) -> str:
        """The same for a function and a method."""
        return operations.name_of(self.function)

    @property
    def full_name(self) -> str:
        """As a user would look it up."""
        return operations.full_name(self.function)

    @property
    def operands(self) -> list[Tensor]:
        """All tensors it reads, in order."""
        return list(tensors((self.args, self.kwargs)))

    def __call__(self) -> Any:
        return self.function(*self.args, **self.kwargs)

    def replacing(self, substitutes: dict[int, Tensor], carried: Sequence[Tensor]) -> "Call":
        """The same call with other tensors for those whose `id` is a key."""
        args, kwargs = mapped(lambda tensor: substitutes.get(id(tensor), tensor), (self.args, self.kwargs))
        return Call(self.order, self.function, args, kwargs, carried)


@dataclass(frozen=True, kw_only=True)
class Made:
    """The result of a call, and what is known of it."""

    result: Any
    sources: Sequence[Tensor]
    """The tensors that supply it with relevance."""
    channels: Channels = None
    before: Tensor | None = None
    """The input of an activation."""
    unknown: str | None = None
    """The name of an operation without a rule."""
    is_weight: bool = False
    weight_of: Tensor | None = None
    is_affine: bool = False
    convolved: Convolved | None = None
    continues: bool = False
    """Whether a batch norm is one with the convolution whose output it reads."""
