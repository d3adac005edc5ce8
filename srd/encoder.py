"""Where the encoder of a network ends and its head begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from srd.errors import UnsupportedOperation
from srd.flow import Flow
from srd.functions import Elementwise
from srd.prefix_tokens import PrefixTokens
from srd.provenance import Source, identity
from srd.vectors import inner, position_axes

Signal = Tensor
"""Gradient of the scores at some feature vectors, or what SRD propagates in its place."""


class Vectors(NamedTuple):
    """Pointwise feature vectors that an operation has made."""

    order: int
    before: Tensor
    """The tensor that is decomposed: the input of an activation, else the output itself."""
    activated: Source | None
    """How to compute an activation again; the output of the activation is not kept."""
    channels: tuple[int, ...]

    @classmethod
    def of(cls, order: int, made: Tensor, activated: Source | None, channels: tuple[int, ...]) -> "Vectors":
        """Return the vectors that an operation, possibly an activation, has `made`."""
        return cls(order, activated.before if activated else made, activated, channels)

    @property
    def at(self) -> Tensor | GradientEdge:
        """Return the place where the next operation reads the vectors."""
        made = self.bias_relevance.grad_fn if self.bias_relevance is not None else None
        return self.before if made is None else GradientEdge(made, 0)

    @property
    def bias_relevance(self) -> Tensor | None:
        """Return the tensor whose gradient is the bias relevance sent straight to the output of an activation."""
        return self.activated.bias_relevance if self.activated else None

    @property
    def after(self) -> Tensor:
        """Return the tensor that the next operation reads."""
        return self.phi(self.before)

    @property
    def phi(self) -> Elementwise:
        """Return the function from the decomposed tensor to the tensor that the next operation reads."""
        return self.activated.phi if self.activated else identity

    @property
    def is_activation(self) -> bool:
        """Return whether an activation made the vectors."""
        return self.activated is not None

    @property
    def is_spatial(self) -> bool:
        """Return whether there is more than one vector per row."""
        return any(self.before.shape[axis] > 1 for axis in position_axes(self.before, self.channels))


@dataclass(frozen=True)
class Layer:
    """The feature vectors that a module returned, and the last operation before the module began."""

    vectors: Vectors
    since: int


@dataclass(frozen=True)
class _Unknown:
    order: int
    name: str


class Landmarks:
    """The feature vectors of one forward pass, and its operations without a rule."""

    def __init__(self, flow: Flow, prefix_tokens: PrefixTokens) -> None:
        self._flow = flow
        self._prefix_tokens = prefix_tokens
        self._vectors: dict[int, Vectors] = {}
        self._affine: list[int] = []
        self._unknown: list[_Unknown] = []

    def add_vectors(self, vectors: Vectors) -> None:
        """Add feature vectors."""
        self._vectors[vectors.order] = vectors

    def at(self, order: int) -> Vectors | None:
        """Return the feature vectors that operation `order` has made."""
        return self._vectors.get(order)

    def add_affine(self, order: int) -> None:
        """Note that operation `order` is an affine map."""
        self._affine.append(order)

    def supersede(self, order: int) -> None:
        """Forget the vectors of an affine map from which a batch norm or a sum has made others."""
        if order in self._affine:
            self._vectors.pop(order, None)

    def add_unknown(self, order: int, name: str) -> None:
        """Add an operation without a rule."""
        self._unknown.append(_Unknown(order, name))

    def encoder_end(
        self, order: int, logits: Tensor, scores: Tensor, named: Layer | None, *, create_graph: bool
    ) -> tuple[Vectors, Signal]:
        """Return the vectors at which the encoder ends, and the gradient of the `scores` there. Call it once.

        The end is `named`. Without a name it is the last vectors that every path passes, that supply the scores from
        more than one position, and that are not the class map. Where only linear operations stand between these vectors
        and an activation, the end is that activation.

        Parameters
        ----------
        order
            Number of the operation that made the `logits`.
        logits, scores
            The output of the network, and one score for each row.
        named
            The layer that the user names as the end of the encoder.
        create_graph
            Whether the gradient is itself differentiable.

        Raises
        ------
        UnsupportedOperation
            The network has no such vectors, or paths go around the named ones.
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
        self._vectors.clear()  # a backward pass can then free them on its way
        return end, _carry(layer.vectors, end, signal, create_graph=create_graph)

    def refuse_unknown_below(self, order: int) -> None:
        """Refuse an operation without a rule below `order`, through which relevance would flow.

        Raises
        ------
        UnsupportedOperation
            There is such an operation.
        """
        below = self._flow.ancestors(order)
        names = _names([unknown for unknown in self._unknown if unknown.order in below])
        if names:
            raise UnsupportedOperation(
                f"there is no rule for {names}; "
                "declare it 'linear', 'gate' or 'activation' in operations (docs/data.md)"
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
            if self._reads_many_positions(signal, vectors.channels) and _holds_rows_first(vectors, scores):
                return Layer(vectors, since=0), signal
        raise UnsupportedOperation(
            "no features with more than one position were found "
            f"(operations without a rule: {_names(self._unknown) or 'none'})"
        )

    def _reads_many_positions(self, signal: Signal, channels: tuple[int, ...]) -> bool:
        """Return whether more than one position of some row is read, or none of any row.

        Several prefix tokens count as none: of a class token or two, the head reads no other positions.
        """
        read = inner(signal, signal, channels).ne(0).flatten(1)
        n_tokens, most = read.shape[1], self._prefix_tokens.most
        n_prefix = self._prefix_tokens.among(n_tokens) or (n_tokens if n_tokens <= most else 0)
        of_patches = read[:, n_prefix:] if n_prefix > 1 else read
        return bool((of_patches.sum(1) > 1).any() or not read.any())

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
    """Return whether the logits are the mean of this map alone (SqueezeNet)."""
    if [vectors.before.shape[axis] for axis in vectors.channels] != [logits.shape[-1]]:
        return False
    means = vectors.after.mean(position_axes(vectors.before, vectors.channels))
    return torch.allclose(means, logits, rtol=1e-3, atol=1e-5)


def _holds_rows_first(vectors: Vectors, scores: Tensor) -> bool:
    """Return whether axis 0 holds the rows of the batch."""
    n, shape = len(scores), vectors.before.shape
    if shape[0] != n or n == 1 or all(shape[axis] != n for axis in position_axes(vectors.before, vectors.channels)):
        return shape[0] == n
    (first,) = torch.autograd.grad(scores[0], vectors.at, retain_graph=True)
    return not first[1:].any()
