"""Maps of few positions at the size of the inputs."""

from functools import wraps
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from srd.entries import Upsampling
from srd.passes import evaluating
from srd.types import Attributor, Generators, Inputs, Maps, Target


def upsample(maps: Maps, size: tuple[int, ...], mode: Upsampling = "bilinear") -> Maps:
    """Maps (n, rows, columns) at another size (h, w); corners are not aligned."""
    larger: Tensor = functional.interpolate(maps[:, None], size, mode=mode)
    return larger[:, 0]


def at_input_resolution(native: Attributor, mode: Upsampling) -> Attributor:
    """The method whose maps are those of `native`, upsample to its inputs."""

    @wraps(native)
    def attributor(
        network: nn.Module, inputs: Inputs, target: Target, generators: Generators | None = None, **options: Any
    ) -> Maps:
        maps = native(network, inputs, target, generators, **options)
        with evaluating(network):
            return upsample(maps, tuple(inputs.shape[2:]), mode)

    return attributor
