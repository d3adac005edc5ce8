"""The output of a module of a network, read beside a plain pass. No rule of SRD is imported for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def reading(network: nn.Module, module: str) -> Iterator[list[Tensor]]:
    """Yield a list that holds the last output of the module, detached, after each pass within the context."""
    held: list[Tensor] = []

    def hold(_: nn.Module, __: Any, output: Tensor) -> None:
        held[:] = [output.detach().clone()]  # the next operation may write into it

    handle = network.get_submodule(module).register_forward_hook(hold)
    try:
        yield held
    finally:
        handle.remove()
