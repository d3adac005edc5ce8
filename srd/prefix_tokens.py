"""Tokens that stand before those of patches and belong to none: class tokens, distillation tokens, registers."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from srd import operations
from srd.operations import Arguments, Keywords


class PrefixTokens:
    """The number of prefix tokens in sequences of tokens (n, tokens, channels), by the number of all tokens.

    It is seen where a network joins tokens that are the same for all images to those that it has made of an image.
    """

    def __init__(self) -> None:
        self._by_length: dict[int, int] = {}

    @property
    def most(self) -> int:
        """Return the largest number of prefix tokens that was seen."""
        return max(self._by_length.values(), default=0)

    def note(self, name: str, args: Arguments, kwargs: Keywords, carries: Callable[[Tensor], bool]) -> None:
        """Note a call that may join tokens; `carries` says what depends on the images."""
        if name not in operations.JOINS or name == "stack":
            return
        tokens, axis = _operands(*args, **kwargs)
        if any(each.dim() != 3 for each in tokens) or axis not in {1, -2}:
            return
        are_patches = [carries(each) for each in tokens]
        last = max((place for place, carried in enumerate(are_patches) if carried), default=0)
        if not all(are_patches):
            self._by_length[sum(each.shape[1] for each in tokens)] = sum(each.shape[1] for each in tokens[:last])

    def among(self, n_tokens: int) -> int | None:
        """Return how many of so many tokens stand before those of patches; None if no join of so many was seen."""
        return self._by_length.get(n_tokens)


NO_JOINS = PrefixTokens()


def _operands(
    tensors: Sequence[Tensor] = (), dim: int = 0, *, axis: int | None = None, **_: Any
) -> tuple[Sequence[Tensor], int]:
    return tensors, dim if axis is None else axis
