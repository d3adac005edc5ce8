"""Where the tensors of one forward pass come from."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import KeyedRef, ref

from torch import Tensor, UntypedStorage

from srd.affine import Affine
from srd.errors import UnsupportedOperation
from srd.functions import Elementwise
from srd.vectors import Channels

T = TypeVar("T")
WAY_TO_BE_SEEN = "build the network of torch functions that Python calls, neither scripted nor foreign"
READ_THROUGH_A_VIEW = (
    "a tensor that was written in place is read through another view of it; write into the tensor itself, or join "
    "parts with torch.cat"
)


class Source(NamedTuple):
    """How a tensor can be computed again: it is phi(before)."""

    before: Tensor
    phi: Elementwise
    bias_relevance: Tensor | None = None
    """For an activation, the tensor whose gradient is the bias relevance sent straight to positions of the output."""


class Step(NamedTuple):
    """Elementwise operations, whose result is phi(before). They do not keep `before` alive."""

    before: ref[Tensor]
    phi: Elementwise


class ConvolutionRecord(NamedTuple):
    """The convolution that made a tensor, for a batch norm that may follow."""

    affine: Affine
    inputs: Tensor
    source: Source
    plain: Callable[[], Tensor]
    """Computes the output again, with its ordinary gradient by inputs and weights."""


class Record(NamedTuple):
    """Facts about a tensor that comes from the inputs."""

    order: int
    """Number of the operation that made the tensor; 0 for the inputs themselves."""
    channels: Channels
    is_weight: bool = False
    """Whether a gate or attention multiplies features with the tensor."""
    activated: Source | None = None
    """How the output of an activation, or an elementwise weight, can be computed again."""
    convolved: ConvolutionRecord | None = None
    steps: Sequence[Step] = ()
    """How elementwise operations that are no activations by themselves made the tensor, the last one first."""


class ByTensor(Generic[T]):
    """A mapping from tensors to values, for as long as the tensors live.

    The plain dictionary inside is several times as fast as torch's weak dictionary.
    """

    def __init__(self) -> None:
        self._noted: dict[int, tuple[object, T]] = {}
        itself = ref(self)

        def forget(reference: Any) -> None:
            if (owner := itself()) is not None:
                owner._noted.pop(reference.key, None)

        self._forget = forget

    def __setitem__(self, tensor: Tensor, value: T) -> None:
        key = id(tensor)
        self._noted[key] = KeyedRef(tensor, self._forget, key), value

    def __len__(self) -> int:
        return len(self._noted)

    def get(self, tensor: Tensor) -> T | None:
        found = self._noted.get(id(tensor))
        return None if found is None else found[1]


class Provenance:
    """The records of all tensors that carry relevance, and the tensors that replace those written in place."""

    def __init__(self, inputs: Tensor) -> None:
        self._records: ByTensor[Record] = ByTensor()
        self._records[inputs] = Record(order=0, channels=(1,))
        self._constants: ByTensor[bool] = ByTensor()
        self._current: ByTensor[Tensor] = ByTensor()
        self._rewritten: dict[int, int] = {}
        self._departure = ""
        self._written_constants: dict[int, UntypedStorage] = {}
        """Memory of constants that were to be written, by its address, which nothing else is to have."""

    def __getitem__(self, tensor: Tensor) -> Record:
        record = self._records.get(tensor)
        if record is None:
            raise KeyError("a tensor that does not carry relevance")
        return record

    def __setitem__(self, tensor: Tensor, record: Record) -> None:
        self._records[tensor] = record

    def get(self, tensor: Tensor) -> Record | None:
        """Return the record of a tensor that carries relevance, else None."""
        return self._records.get(tensor)

    def carriers(self, read: Iterable[Tensor]) -> list[Tensor]:
        """Return those of the tensors that carry relevance."""
        return [tensor for tensor in read if self._records.get(tensor)]

    def forget_convolutions(self, read: Iterable[Tensor]) -> None:
        """Forget the convolutions that made the tensors which an activation has read: no batch norm is to follow."""
        for tensor in read:
            record = self[tensor]
            if record.convolved:
                self[tensor] = record._replace(convolved=None)

    def add_constants(self, made: Iterable[Tensor]) -> None:
        """Note tensors that do not come from the inputs."""
        for tensor in made:
            self._constants[tensor] = True

    @property
    def has_left(self) -> bool:
        """Return whether numbers that come from the inputs were given to code that is not torch's."""
        return bool(self._departure)

    def leave(self, name: str, own: Iterable[Tensor]) -> None:
        """Note that an operation gives numbers to other code. From now on only constants that are known are read.

        These are the network's `own` and those that seen operations make. Any other may be made of the numbers given.
        """
        self._departure = name
        self.add_constants(own)

    def is_outdated(self, read: Iterable[Tensor]) -> bool:
        """Return whether another tensor replaces one of these."""
        return len(self._current) > 0 and any(self._current.get(tensor) is not None for tensor in read)

    def current(self, tree: Any) -> Any:
        """Return the tree with the present tensors in place of those that were written in place."""
        return map_tensors(self._current_value, tree)

    def rewrite(self, mutated: Tensor, result: Tensor, order: int) -> None:
        """Let `result` replace `mutated` from now on; `mutated` itself does not change."""
        self._current[mutated] = result
        self._rewritten[_address(mutated)] = order
        if self._records.get(mutated) is None:
            self._written_constants[_address(mutated)] = mutated.untyped_storage()

    def refuse_unseen(self, read: Iterable[Tensor]) -> None:
        """Refuse tensors that no recorded operation made, and tensors with old values.

        Raises
        ------
        UnsupportedOperation
            A tensor has no recorded origin, or another view of it was written in place.
        """
        for tensor in read:
            record = self._records.get(tensor)
            if record is None:
                if tensor.grad_fn is not None and not self._constants.get(tensor):
                    raise UnsupportedOperation(
                        f"{tensor.grad_fn.name()} was made by an operation that cannot be seen; {WAY_TO_BE_SEEN}"
                    )
                if self._departure and tensor.numel() > 1 and not self._constants.get(tensor):
                    raise UnsupportedOperation(
                        f"{self._departure} gave features to code that cannot be seen, which may have made a tensor "
                        f"{tuple(tensor.shape)} of them that is read later; {WAY_TO_BE_SEEN}"
                    )
                if self._written_constants and _address(tensor) in self._written_constants:
                    raise UnsupportedOperation(READ_THROUGH_A_VIEW)
            elif self._rewritten and record.order < self._rewritten.get(_address(tensor), 0):
                raise UnsupportedOperation(READ_THROUGH_A_VIEW)

    def _current_value(self, tensor: Tensor) -> Tensor:
        while (newer := self._current.get(tensor)) is not None:
            tensor = newer
        return tensor


def identity(tensor: Tensor) -> Tensor:
    """Return the tensor itself: no activation made it."""
    return tensor


def tensors(tree: Any) -> list[Tensor]:
    """Return the tensors in arguments or results, in order, from nested sequences and mappings."""
    found: list[Tensor] = []
    _gather(tree, found)
    return found


def _gather(tree: Any, found: list[Tensor]) -> None:
    if isinstance(tree, Tensor):
        found.append(tree)
    elif isinstance(tree, (tuple, list)):
        for branch in tree:
            _gather(branch, found)
    elif isinstance(tree, dict):
        for branch in tree.values():
            _gather(branch, found)


def map_tensors(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """Return the same nested sequences and mappings with the function applied to each tensor."""
    if isinstance(tree, Tensor):
        return function(tree)
    if type(tree) in {tuple, list}:
        return type(tree)([map_tensors(function, branch) for branch in tree])
    if isinstance(tree, dict):
        return {key: map_tensors(function, branch) for key, branch in tree.items()}
    return tree


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
