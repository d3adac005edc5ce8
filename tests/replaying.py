"""The small network, of which parts run otherwise than they are written: checkpointed, or compiled."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.utils import checkpoint
from toys import small

Replay = Callable[[Callable[..., Tensor], Tensor], Tensor]


class Replaying(nn.Module):
    """The small network, of which `replay` runs the stem and the branch."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self.plain, self.replay = small(), replay

    def forward(self, inputs: Tensor) -> Tensor:
        stem = self.replay(self.plain.stem, inputs)
        logits: Tensor = self.plain.head(self.plain.relu(self.replay(self.plain.branch, stem) + stem).mean((2, 3)))
        return logits


def decorated(function: Callable[..., Tensor], x: Tensor) -> Tensor:
    result: Tensor = checkpoint.checkpoint(use_reentrant=False)(function)(x)
    return result


CHECKPOINTED: dict[str, Replay] = {
    "reentrant": lambda f, x: checkpoint.checkpoint(f, x, use_reentrant=True),
    "not reentrant": lambda f, x: checkpoint.checkpoint(f, x, use_reentrant=False),
    "sequential": lambda f, x: checkpoint.checkpoint_sequential(f, 2, x, use_reentrant=False),
    "decorated": decorated,
}


def compiled_otherwise() -> nn.Module:
    """The small network with a compiled stem that is 3 % off when it runs compiled."""

    def backend(graph: GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        return lambda *args: tuple(1.03 * result for result in graph(*args))

    network = small()
    network.stem = torch.compile(network.stem, backend=backend)  # type: ignore[assignment]
    return network


OTHERWISE: dict[str, Callable[[], nn.Module]] = {
    "reentrant": lambda: Replaying(CHECKPOINTED["reentrant"]),
    "not reentrant": lambda: Replaying(CHECKPOINTED["not reentrant"]),
    "compiled": compiled_otherwise,
}
