"""Enlargement of maps of few positions to the size of the inputs."""

from functools import wraps
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from srd.entries import Upsampling
from srd.passes import evaluating
from srd.types import Attributor, Generators, Inputs, Maps, Target


def upsample(maps: Maps, size: tuple[int, ...], mode: Upsampling = "bilinear") -> Maps:
    """Resize maps (n, rows, columns) to another size (h, w); corners are not aligned."""
    larger: Tensor = functional.interpolate(maps[:, None], size, mode=mode)
    return larger[:, 0]


def at_input_resolution(native: Attributor, mode: Upsampling) -> Attributor:
    """Return the method with the maps of `native`, upsampled to the size of its inputs."""

    @wraps(native)
    def attributor(
        network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, **options: Any
    ) -> Maps:
        maps = native(network, inputs, target, generators, **options)
        with evaluating(network):
            return upsample(maps, tuple(inputs.shape[2:]), mode)

    return attributor
