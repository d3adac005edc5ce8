"""Floating-point types in which convolutions and linear layers multiply."""

import platform
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Precision = Literal["full", "mixed", "bfloat16", "float16"]

X86 = frozenset({"x86_64", "AMD64"})
"""The names of processors on which oneDNN says that it takes bfloat16 even where it has no instructions for it."""


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


def multiplies_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for products in bfloat16.

    Elsewhere these are made of other instructions, several times as slow as products in float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine() in X86:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def products_of(precision: Precision, device: torch.device) -> Products:
    """Return the types in which a device makes the products of a precision.

    "mixed", which saves time alone, is "full" on a device that does not multiply in bfloat16.

    Raises
    ------
    ValueError
        If the precision is unknown.
    """
    if precision not in PRODUCTS:
        raise ValueError(f"precision {precision!r} is not one of {', '.join(PRODUCTS)}")
    return PRODUCTS["full" if precision == "mixed" and not multiplies_in_bfloat16(device) else precision]


def in_type(product: Callable[..., Tensor], dtype: torch.dtype | None) -> Callable[..., Tensor]:
    """Return the product of operands that are cast to a type, with its result cast back to the first one's type."""
    if dtype is None:
        return product

    def multiply(first: Tensor, *others: Any) -> Tensor:
        operands = [other.to(dtype) if isinstance(other, Tensor) else other for other in others]
        return product(first.to(dtype), *operands).to(first.dtype)

    return multiply
