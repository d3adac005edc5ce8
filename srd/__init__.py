"""Explanations of image classifiers, first of all Sharing Ratio Decomposition (SRD), and metrics of explanations."""

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
    """Import a name that needs torch when it is first read."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'srd' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return all names, also those that are still to be imported."""
    return sorted(__all__)
