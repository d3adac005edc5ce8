"""Values that are computed from a weight, and cached for as long as the weight lives unchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

T = TypeVar("T")


@dataclass(frozen=True)
class _CachedValue:
    probes: Tensor
    images: Tensor
    value: Any


_CACHE = WeakTensorKeyDictionary()


def get_or_prepare(weight: Tensor, scale: Tensor | None, facts: tuple[object, ...], prepare: Callable[[], T]) -> T:
    """Return `prepare()`, or the value that it returned before for the same weight, scale and `facts`.

    The value depends on nothing else. `weight` is (k, ...), and `scale`, of its rows, is (k,). The owner of a weight
    may change it at any time and in any way (an optimiser, `load_state_dict`, `.data`). Each call therefore checks that
    two random vectors still have the same images under the scaled weight, bit for bit. A change that does not show
    there is lost in rounding wherever the weight is used.
    """
    facts = (weight.shape, weight.dtype, weight.device, *facts)
    by_facts: dict[tuple[object, ...], _CachedValue] = _CACHE.setdefault(weight, {})
    found = by_facts.get(facts)
    if found is None or not torch.equal(_images(found.probes, weight, scale), found.images):
        probes = torch.randn(2, weight[0].numel(), generator=torch.Generator().manual_seed(0)).to(weight)
        found = by_facts[facts] = _CachedValue(probes, _images(probes, weight, scale), prepare())
    return found.value  # type: ignore[no-any-return]


def _images(probes: Tensor, weight: Tensor, scale: Tensor | None) -> Tensor:
    images = torch.stack([weight.flatten(1).mv(probe) for probe in probes])
    return images if scale is None else images * scale
