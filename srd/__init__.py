"""Explanations of image classifiers, Sharing Ratio Decomposition first, and what is measured of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from srd.registry import ATTRIBUTORS, METRICS

if TYPE_CHECKING:
    from srd.decomposition import Decomposition, account, decompose
    from srd.layers import receptive_field, relevance, sharing_ratios

__all__ = [
    "ATTRIBUTORS",
    "METRICS",
    "Decomposition",
    "account",
    "decompose",
    "receptive_field",
    "relevance",
    "sharing_ratios",
]

_HOMES = dict.fromkeys(("Decomposition", "account", "decompose"), "srd.decomposition")
_HOMES |= dict.fromkeys(("receptive_field", "relevance", "sharing_ratios"), "srd.layers")


def __getattr__(name: str) -> Any:
    """Names that need torch are imported when first asked for."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'srd' has no attribute {name!r}")
