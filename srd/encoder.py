"""Where a network's encoder ends and its head begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from srd.errors import UnsupportedOperation
from srd.flow import Flow
from srd.functions import Elementwise
from srd.provenance import Source, unchanged
from srd.vectors import inner, position_axes

Signal = Tensor
"""Gradient of the scores, or what SRD propagates instead of it, at some feature vectors."""


class Vectors(NamedTuple):
    """Pointwise feature vectors that an operation has made."""

    order: int
    before: Tensor
    """What is decomposed: the input of an activation, else the output itself."""
    activated: Source | None
    """Of an activation, whose output itself is not kept."""
    channels: tuple[int, ...]

    @classmethod
    def of(cls, order: int, made: Tensor, activated: Source | None, channels: tuple[int, ...]) -> "Vectors":
        """Those that an operation, perhaps an activation, has `made`."""
        return cls(order, activated.before if activated else made, activated, channels)

    @property
    def at(self) -> Tensor | GradientEdge:
        """Where the next operation reads them."""
        made = self.bias_relevance.grad_fn if self.bias_relevance is not None else None
        return self.before if made is None else GradientEdge(made, 0)

    @property
    def bias_relevance(self) -> Tensor | None:
        """Of an activation: what has for gradient the relevance handed straight to its output."""
        return self.activated.bias_relevance if self.activated else None

    @property
    def after(self) -> Tensor:
        """What the next operation reads."""
        return self.phi(self.before)

    @property
    def phi(self) -> Elementwise:
        """Makes of what is decomposed what the next operation reads."""
        return self.activated.phi if self.activated else unchanged

    @property
    def is_activation(self) -> bool:
        """Whether an activation made them."""
        return self.activated is not None

    @property
    def is_spatial(self) -> bool:
        """Whether there is more than one per row."""
        return any(self.before.shape[axis] > 1 for axis in position_axes(self.before, self.channels))


@dataclass(frozen=True)
class Layer:
    """What a module made: its output's vectors, and the operation that stood before its first."""

    vectors: Vectors
    since: int


@dataclass(frozen=True)
class _Unknown:
    order: int
    name: str


class Landmarks:
    """The feature vectors and the operations without a rule of one forward pass."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._vectors: dict[int, Vectors] = {}
        self._affine: list[int] = []
        self._unknown: list[_Unknown] = []

    def add_vectors(self, vectors: Vectors) -> None:
        """Notes feature vectors."""
        self._vectors[vectors.order] = vectors

    def at(self, order: int) -> Vectors | None:
        """Those that operation `order` has made."""
        return self._vectors.get(order)

    def add_affine(self, order: int) -> None:
        """Notes an affine map."""
        self._affine.append(order)

    def supersede(self, order: int) -> None:
        """Forgets the vectors of an affine map of which a batch norm or a sum has made others."""
        if order in self._affine:
            self._vectors.pop(order, None)

    def add_unknown(self, order: int, name: str) -> None:
        """Notes an operation without a rule."""
        self._unknown.append(_Unknown(order, name))

    def encoder_end(
        self, order: int, logits: Tensor, scores: Tensor, named: Layer | None, *, create_graph: bool
    ) -> tuple[Vectors, Signal]:
        """The vectors at which the encoder ends, and the gradient there of the `scores`, one per row.

        `order` is that of the operation that made the `logits`. The end is `named`, or the last vectors that every path
        passes, that more than one of the positions supplies the scores with, and that are not the class map. Where only
        linear operations stand between it and an activation, the end is that activation. To be asked once.

        Raises UnsupportedOperation for a network without such vectors, or with one that paths go around.
        """
        passed = self._flow.passed_by_all(order)
        if named:
            layer, signal = named, _gradient(scores, named.vectors, create_graph=create_graph)
        else:
            layer, signal = self._last(passed, logits, scores, create_graph=create_graph)
        if layer.vectors.order not in passed:
            raise UnsupportedOperation("an encoder that paths go around; name one that every path passes")
        end = self._activation_below(layer, passed) or layer.vectors
        if not end.is_spatial:
            raise UnsupportedOperation("an encoder that ends in a single position; name one whose output is a map")
        self._vectors.clear()  # so that a backward pass can let go of them on its way
        return end, _carry(layer.vectors, end, signal, create_graph=create_graph)

    def refuse_unknown_below(self, order: int) -> None:
        """Raises UnsupportedOperation where relevance would flow from `order` through an operation that has no rule."""
        below = self._flow.ancestors(order)
        names = _names([unknown for unknown in self._unknown if unknown.order in below])
        if names:
            raise UnsupportedOperation(
                f"there is no rule for {names}; declare it 'linear', 'gate' or 'activation' in operations"
            )

    def _last(
        self, passed: frozenset[int], logits: Tensor, scores: Tensor, *, create_graph: bool
    ) -> tuple[Layer, Signal]:
        end = max(passed) + 1
        for order in sorted(passed & self._vectors.keys(), reverse=True):
            vectors = self._vectors[order]
            if order >= end or not vectors.is_spatial:
                continue
            if not vectors.before.requires_grad:
                self.refuse_unknown_below(order)
            if _is_class_map(vectors, logits):
                end = max((affine for affine in self._affine if affine <= order), default=order)
                continue
            signal = _gradient(scores, vectors, create_graph=create_graph)
            if _reads_many_positions(signal, vectors.channels) and _holds_rows_first(vectors, scores):
                return Layer(vectors, since=0), signal
        raise UnsupportedOperation(
            "no features with more than one position were found "
            f"(operations without a rule: {_names(self._unknown) or 'none'})"
        )

    def _activation_below(self, layer: Layer, passed: frozenset[int]) -> Vectors | None:
        below = self._flow.ancestors(layer.vectors.order)
        activations = [vectors for order, vectors in self._vectors.items() if order in below and vectors.is_activation]
        last = max(activations, key=lambda vectors: vectors.order, default=None)
        if last is None or any(last.order < unknown.order and unknown.order in below for unknown in self._unknown):
            return None
        return last if last.order in passed and last.order > layer.since and last.is_spatial else None


def _names(unknown: Sequence[_Unknown]) -> str:
    return ", ".join(dict.fromkeys(operation.name for operation in unknown))


def _gradient(scores: Tensor, vectors: Vectors, *, create_graph: bool) -> Signal:
    (signal,) = torch.autograd.grad(scores.sum(), vectors.at, retain_graph=True, create_graph=create_graph)
    return signal


def _carry(above: Vectors, below: Vectors, signal: Signal, *, create_graph: bool) -> Signal:
    if above is below:
        return signal
    (carried,) = torch.autograd.grad(above.at, below.at, signal, retain_graph=True, create_graph=create_graph)
    return carried


def _is_class_map(vectors: Vectors, logits: Tensor) -> bool:
    """Whether the logits are just the mean of this map (SqueezeNet)."""
    if [vectors.before.shape[axis] for axis in vectors.channels] != [logits.shape[-1]]:
        return False
    means = vectors.after.mean(position_axes(vectors.before, vectors.channels))
    return torch.allclose(means, logits, rtol=1e-3, atol=1e-5)


def _reads_many_positions(signal: Signal, channels: tuple[int, ...]) -> bool:
    """Whether more than one position of some row is read (of a class token, one is), or none of any."""
    n_read = inner(signal, signal, channels).ne(0).flatten(1).sum(1)
    return bool((n_read > 1).any() or (n_read == 0).all())


def _holds_rows_first(vectors: Vectors, scores: Tensor) -> bool:
    """Whether axis 0 holds the rows of the batch."""
    n, shape = len(scores), vectors.before.shape
    if shape[0] != n or n == 1 or all(shape[axis] != n for axis in position_axes(vectors.before, vectors.channels)):
        return shape[0] == n
    (first,) = torch.autograd.grad(scores[0], vectors.at, retain_graph=True)
    return not first[1:].any()
