"""Activation-pattern-only prediction (APOP; Han, Kim, Kwak, ICLR 2024): what the on/off pattern of an image tells.

A first pass records on which of its linear pieces every neuron lies. A second pass reads another input and replaces
every activation by the recorded pieces. For a ReLU this is the product with a mask of 0 and 1. For a bounded
activation, such as ReLU6 or a clamp, it is the constant bound where the neuron lay beyond the bound. A network
therefore replays its own input exactly, and only the pattern of the first image reaches the second pass. All other
operations, max pooling included, work on the second input.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from srd import operations
from srd.errors import UnsupportedOperation
from srd.operations import Arguments, Function, Keywords
from srd.passes import evaluating, leaf
from srd.types import Inputs, Logits

Pattern = UInt8[Tensor, "n ..."]
"""The linear piece of every neuron of one activation, counted from the left. For a ReLU, 0 is off and 1 is on."""

Patterns = tuple[Pattern, ...]
"""One pattern for each call of an activation, in the order of the calls."""


def activation_patterns(network: nn.Module, inputs: Inputs) -> Patterns:
    """Return the linear piece on which every neuron lies when the network reads `inputs`.

    Raises
    ------
    UnsupportedOperation
        An activation has no linear pieces, the network has no activation, or a part of the network cannot be seen.
    """
    patterns: list[Pattern] = []

    def record(pieces: Pieces, before: Tensor) -> Pattern:
        patterns.append(pieces.pattern(before))
        return patterns[-1]

    _run(network, inputs, record)
    if not patterns:
        raise UnsupportedOperation(f"the network calls none of {', '.join(PIECEWISE_LINEAR)}: it has no pattern")
    return tuple(patterns)


def logits_from_patterns(network: nn.Module, patterns: Patterns, inputs: Inputs) -> Logits:
    """Return the logits of the network for `inputs`, (n, c, h, w), on the linear pieces that `patterns` name.

    The inputs have the shape of those at which the patterns were recorded.

    Raises
    ------
    UnsupportedOperation
        As for `activation_patterns`, and where the activations are not those of the patterns.
    """
    remaining = list(reversed(patterns))

    def replay(_: Pieces, before: Tensor) -> Pattern:
        if not remaining or remaining[-1].shape != before.shape:
            _refuse_other(patterns, len(patterns) - len(remaining), f"is of shape {tuple(before.shape)}")
        return remaining.pop()

    logits = _run(network, inputs, replay)
    if remaining:
        _refuse_other(patterns, len(patterns) - len(remaining), "is not there")
    return logits


@dataclass(frozen=True)
class Pieces:
    """A piecewise linear activation: a line up to `low`, the identity between the bounds, constant from `high` on."""

    low: float | Tensor = 0.0
    high: float | Tensor = inf
    slope: float | Tensor = 0.0
    """Slope of the line below, which meets the identity at `low`."""

    def pattern(self, before: Tensor) -> Pattern:
        """Return 0 up to `low`, 1 between the bounds and 2 from `high` on."""
        return (before > self.low).to(torch.uint8) + (before >= self.high)

    def values(self, before: Tensor, pattern: Pattern) -> Tensor:
        """Return the values of `before` on the pieces of `pattern`.

        This is the activation itself if `pattern` is the pattern of `before`.
        """
        below = self.low + self.slope * (before - self.low)
        return torch.where(pattern == 0, below, torch.where(pattern == 1, before, self.high))


def _clamp(input: Tensor, min: float | Tensor | None = None, max: float | Tensor | None = None) -> Pieces:
    return Pieces(-inf if min is None else min, inf if max is None else max)


def _prelu(input: Tensor, weight: Tensor) -> Pieces:
    return Pieces(slope=weight.view(-1, *[1] * (input.dim() - 2)))


PIECEWISE_LINEAR: Mapping[str, Callable[..., Pieces]] = MappingProxyType(
    {
        "relu": lambda input, inplace=False: Pieces(),
        "relu6": lambda input, inplace=False: Pieces(high=6.0),
        "hardtanh": lambda input, min_val=-1.0, max_val=1.0, inplace=False: Pieces(min_val, max_val),
        "clamp": _clamp,
        "clip": _clamp,
        "clamp_min": lambda input, min: Pieces(min),
        "clamp_max": lambda input, max: Pieces(-inf, max),
        "leaky_relu": lambda input, negative_slope=0.01, inplace=False: Pieces(slope=negative_slope),
        "prelu": _prelu,
    }
)
"""Activations that have a pattern: name -> function from the arguments of a call to the pieces."""

SELECTIONS = frozenset("where gt lt ge le eq ne sign heaviside abs masked_fill".split())
"""Operations that choose by the values of features, of which an activation without a name may be made."""


class _OnPieces(TorchFunctionMode):
    """Replaces every activation by the pieces that `pattern_of` names, however the activation is called."""

    def __init__(self, pattern_of: Callable[[Pieces, Tensor], Pattern]) -> None:
        super().__init__()
        self._pattern_of = pattern_of
        self._seen = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        kwargs = kwargs or {}
        self._refuse_unseen(_tensors((args, kwargs)))
        if operations.name_of(func) in SELECTIONS:
            self._refuse_selection(func, _tensors((args, kwargs)))
        result = self._activation(func, args, kwargs) if _is_activation(func, args, kwargs) else func(*args, **kwargs)
        self._seen.update(dict.fromkeys(_tensors(result), True))
        return result

    def _activation(self, func: Function, args: Arguments, kwargs: Keywords) -> Tensor:
        pieces_of = PIECEWISE_LINEAR.get(operations.name_of(func))
        if pieces_of is None:
            raise UnsupportedOperation(
                f"{operations.full_name(func)} has no activation pattern: activation-pattern-only prediction is "
                f"defined for the piecewise-linear activations {', '.join(PIECEWISE_LINEAR)}"
            )
        _, args, kwargs, mutated = operations.out_of_place(func, args, kwargs)
        before, pieces = _operand(args, kwargs), pieces_of(*args, **kwargs)
        after = pieces.values(before, self._pattern_of(pieces, before))
        return after if mutated is None else mutated.copy_(after)

    def _refuse_selection(self, func: Function, read: list[Tensor]) -> None:
        if any(tensor.requires_grad and tensor.is_floating_point() and tensor.numel() > 1 for tensor in read):
            raise UnsupportedOperation(
                f"{operations.full_name(func)} chooses by the values of features, where an activation may be hidden; "
                "call the activation by its own name (torch.relu for torch.where(x > 0, x, 0))"
            )

    def _refuse_unseen(self, tensors: list[Tensor]) -> None:
        """Refuse tensors that a scripted part of the network has made.

        Gradients are on for this check alone: they show where a tensor comes from.
        """
        for tensor in tensors:
            if tensor.grad_fn is not None and tensor not in self._seen:
                raise UnsupportedOperation(f"{tensor.grad_fn.name()} was made by an operation that cannot be seen")


def _run(network: nn.Module, inputs: Inputs, pattern_of: Callable[[Pieces, Tensor], Pattern]) -> Logits:
    with evaluating(network), _OnPieces(pattern_of):
        logits: Logits = network(leaf(inputs, create_graph=False).clone())  # the network may write to them in place
    return logits.detach()


def _is_activation(func: Function, args: Arguments, kwargs: Keywords) -> bool:
    name = operations.name_of(func)
    known = name in PIECEWISE_LINEAR or name in operations.ACTIVATIONS
    return known and _operand(args, kwargs).is_floating_point()  # indices may be clamped as well


def _operand(args: Arguments, kwargs: Keywords) -> Tensor:
    operand: Tensor = args[0] if args else kwargs["input"]
    return operand


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _refuse_other(patterns: Patterns, position: int, what: str) -> None:
    expected = f"is of shape {tuple(patterns[position].shape)}" if position < len(patterns) else "is not there"
    raise UnsupportedOperation(
        f"activation {position + 1} {what}, in the patterns it {expected}: give inputs of the shape that the patterns "
        "were recorded at; a network whose operations depend on the values that it reads cannot be replayed"
    )
