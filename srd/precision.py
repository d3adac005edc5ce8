"""Floating-point types in which convolutions and linear layers multiply."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Precision = Literal["full", "mixed", "bfloat16", "float16"]


class Products(NamedTuple):
    """Types of the operands; None stands for the type of the network's inputs.

    Sums, ratios and activations always have the type of the inputs.
    """

    network: torch.dtype | None = None
    relevance: torch.dtype | None = None
    """Never float16: relevance spans more orders of magnitude than float16 holds."""


PRODUCTS: Mapping[Precision, Products] = MappingProxyType(
    {
        "full": Products(),
        "mixed": Products(None, torch.bfloat16),
        "bfloat16": Products(torch.bfloat16, torch.bfloat16),
        "float16": Products(torch.float16, torch.bfloat16),
    }
)


def in_type(product: Callable[..., Tensor], dtype: torch.dtype | None) -> Callable[..., Tensor]:
    """Return the product of operands that are cast to a type, with its result cast back to the first one's type."""
    if dtype is None:
        return product

    def multiply(first: Tensor, *others: Any) -> Tensor:
        operands = [other.to(dtype) if isinstance(other, Tensor) else other for other in others]
        return product(first.to(dtype), *operands).to(first.dtype)

    return multiply
