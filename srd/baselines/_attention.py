"""Common parts of attention maps: the weights of every layer, the tokens that the head reads, and their grid."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from srd import operations
from srd.attention import COMPOSITES
from srd.errors import UnsupportedOperation
from srd.operations import Arguments, Function, Keywords
from srd.passes import logits_of, scores_of
from srd.prefix_tokens import PrefixTokens
from srd.provenance import ByTensor, tensors
from srd.types import Inputs, Maps, Scores, Target
from srd.vectors import on_grid

WAY_OUT = "explain a vision transformer with global attention in every layer"


class _Softmaxes(TorchFunctionMode):
    """Records the result of every softmax over the last of several axes, and which results matrix products read."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.prefix_tokens = PrefixTokens()
        self._of_images: ByTensor[bool] = ByTensor()
        self._of_images[inputs] = True
        self.made: dict[int, Tensor] = {}
        self.multiplied: set[int] = set()

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        name, kwargs = operations.name_of(func), kwargs or {}
        if name in COMPOSITES:
            with self:
                return COMPOSITES[name](*args, **kwargs)
        result = func(*args, **kwargs)
        self._note_tokens(name, args, kwargs, result)
        if name in operations.MATRIX_PRODUCTS:
            self.multiplied |= self.made.keys() & {id(tensor) for tensor in tensors((args, kwargs))}
        if name == "softmax" and result.dim() > 2 and _axis(*args[1:2], **kwargs) in {-1, result.dim() - 1}:
            self.made[id(result)] = result
        return result

    def _note_tokens(self, name: str, args: Arguments, kwargs: Keywords, result: Any) -> None:
        """Note which results depend on the images, and what is joined before them."""
        read = tensors(args[:1] if name in operations.LIKE else (args, kwargs))
        if name not in operations.SHAPED and any(map(self._of_images.get, read)):
            self.prefix_tokens.note(name, args, kwargs, lambda tensor: bool(self._of_images.get(tensor)))
            for made in tensors(result):
                self._of_images[made] = True


class Attention(NamedTuple):
    """Attention of one forward pass."""

    layers: list[Tensor]
    """Weights of each layer, (n, heads, tokens, tokens), whose rows sum to 1."""
    scores: Scores
    """The target's logits."""
    n_prefix: int | None
    """How many tokens stand before those of patches, if it was seen."""


def attention(network: nn.Module, inputs: Inputs, target: Target) -> Attention:
    """Return the attention weights of each layer, and the target's logits. Gradients are the ordinary ones.

    Raises
    ------
    UnsupportedOperation
        A softmax over several axes makes weights with which not all tokens read all tokens.
    """
    with _Softmaxes(inputs) as seen:
        logits = logits_of(network, inputs)
    layers = list(seen.made.values())
    _refuse_unless_global(layers, seen.multiplied, len(inputs))
    return Attention(layers, scores_of(logits, target), seen.prefix_tokens.among(layers[0].shape[-1]))


def attention_map(layers: Sequence[Tensor], gradient: Tensor, size: torch.Size, n_prefix: int | None) -> Maps:
    """Return the share of each patch in what the head reads, through all layers.

    Parameters
    ----------
    layers
        Weights of each layer, (n, tokens, tokens), the first layer first.
    gradient
        Gradient of the score by the last layer's weights. The head reads the tokens whose rows have a gradient, a class
        token or all tokens, and they count alike.
    n_prefix
        How many tokens stand before those of patches, if it is known.

    Raises
    ------
    UnsupportedOperation
        The tokens lie on no grid.
    """
    rows = _read(gradient)[:, None]
    for layer in reversed(layers):
        rows = rows @ layer
    return on_grid(rows[:, 0], *size, n_prefix=n_prefix)


def residual_identity(weights: Tensor) -> Tensor:
    """Return the identity (tokens, tokens) that stands for the residual connection around attention."""
    return torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)


def _read(gradient: Tensor) -> Tensor:
    """Return the share of each token that the head reads: (n, heads, tokens, tokens) -> (n, tokens)."""
    read = gradient.ne(0).any(-1).any(1).to(gradient)
    return read / read.sum(1, keepdim=True).clamp(min=1)


def _refuse_unless_global(layers: Sequence[Tensor], multiplied: set[int], n: int) -> None:
    if not layers:
        raise UnsupportedOperation(f"no attention was seen (a softmax over tokens); {WAY_OUT}")
    tokens = layers[0].shape[-1]
    for number, weights in enumerate(layers, 1):
        shape = tuple(weights.shape)
        if (shape[0], *shape[2:]) != (n, tokens, tokens):
            wanted = f"({n}, heads, {tokens}, {tokens})"
            raise UnsupportedOperation(f"softmax {number} makes weights of shape {shape}, not {wanted}; {WAY_OUT}")
        if id(weights) not in multiplied:
            raise UnsupportedOperation(f"the weights of softmax {number} are changed before they multiply; {WAY_OUT}")


def _axis(dim: int | None = None, **_: Any) -> int | None:
    return dim
