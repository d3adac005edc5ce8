"""Where the tensors of one forward pass come from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from srd.affine import Affine
from srd.errors import UnsupportedOperation
from srd.vectors import Channels


@dataclass(frozen=True)
class Convolved:
    """A convolution's plain output beside what made it, for a batch norm that may follow."""

    affine: Affine
    inputs: Tensor
    plain: Tensor | None
    """None if it is the output itself, which would else never be released."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of a tensor that comes from the inputs."""

    order: int
    """Of the operation that made it; 0 for the inputs themselves."""
    channels: Channels
    is_part: bool = False
    """Whether it is a view of a part of another."""
    is_weight: bool = False
    """Whether it is what a gate or attention multiplies features with."""
    weight_of: Tensor | None = None
    """What an elementwise weight was made of."""
    convolved: Convolved | None = None


class Provenance:
    """The records of all tensors that carry relevance, and what became of those that were written in place."""

    def __init__(self, inputs: Tensor) -> None:
        self._records = WeakTensorKeyDictionary({inputs: Record(order=0, channels=(1,))})
        self._constants = WeakTensorKeyDictionary()
        self._current = WeakTensorKeyDictionary()
        self._rewritten: dict[int, int] = {}

    def __getitem__(self, tensor: Tensor) -> Record:
        record: Record = self._records[tensor]
        return record

    def __setitem__(self, tensor: Tensor, record: Record) -> None:
        self._records[tensor] = record

    def get(self, tensor: Tensor) -> Record | None:
        """The record of a tensor that carries relevance."""
        return self._records.get(tensor)  # type: ignore[no-any-return]

    def carried(self, tree: Any) -> list[Tensor]:
        """The tensors among the leaves of arguments that carry relevance."""
        return [tensor for tensor in tensors(tree) if tensor in self._records]

    def constants(self, made: Iterable[Tensor]) -> None:
        """Notes tensors that do not come from the inputs."""
        self._constants.update(dict.fromkeys(made, True))

    def current(self, tree: Any) -> Any:
        """The tree with the tensors that stand for those that were written in place."""
        return mapped(self._current_value, tree) if len(self._current) else tree

    def rewrite(self, mutated: Tensor, result: Tensor, order: int) -> None:
        """From now on `result` stands for `mutated`, which is left as it was."""
        self._current[mutated] = result
        self._rewritten[_address(mutated)] = order

    def refuse_hidden(self, tree: Any) -> None:
        """Raises UnsupportedOperation for a tensor that no recorded operation made.

        Or for one that holds old values: another view of it was written in place.
        """
        for tensor in tensors(tree):
            record = self._records.get(tensor)
            if record is None:
                if tensor.grad_fn is not None and tensor not in self._constants:
                    raise UnsupportedOperation(f"{tensor.grad_fn.name()} was made by an operation that cannot be seen")
            elif self._rewritten and record.order < self._rewritten.get(_address(tensor), 0):
                raise UnsupportedOperation("a tensor that was written in place is read through another view of it")

    def _current_value(self, tensor: Tensor) -> Tensor:
        while tensor in self._current:
            tensor = self._current[tensor]
        return tensor


def tensors(tree: Any) -> Iterator[Tensor]:
    """The tensors in arguments or results: nested sequences and mappings."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for branch in tree:
            yield from tensors(branch)
    elif isinstance(tree, dict):
        yield from tensors(tuple(tree.values()))


def mapped(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """The same nested sequences and mappings, with what the function makes of each tensor."""
    if isinstance(tree, Tensor):
        return function(tree)
    if type(tree) in {tuple, list}:
        return type(tree)(mapped(function, branch) for branch in tree)
    if isinstance(tree, dict):
        return {key: mapped(function, branch) for key, branch in tree.items()}
    return tree


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
