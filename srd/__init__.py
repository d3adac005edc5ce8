"""Explanations of image classifiers, Sharing Ratio Decomposition first, and what is measured of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from srd.registry import ATTRIBUTORS, METRICS

if TYPE_CHECKING:
    from srd.decomposition import Decomposition, account, decompose

__all__ = ["ATTRIBUTORS", "METRICS", "Decomposition", "account", "decompose"]


def __getattr__(name: str) -> Any:
    """Names that need torch are imported when first asked for."""
    if name in __all__:
        return getattr(import_module("srd.decomposition"), name)
    raise AttributeError(f"module 'srd' has no attribute {name!r}")
