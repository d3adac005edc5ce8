"""Where a network's encoder ends and its head begins."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from srd.errors import ModelError, UnsupportedOperation


@dataclass(frozen=True)
class Activation:
    """Output of an activation, and where in the order of operations it stands."""

    order: int
    output: Tensor


@dataclass(frozen=True)
class Unknown:
    """An operation without a rule."""

    order: int
    name: str
    is_spatial: bool


class Landmarks:
    """The activations and the unknown operations of one forward pass, in order."""

    def __init__(self) -> None:
        self._activations: list[Activation] = []
        self._unknown: list[Unknown] = []
        self._named: Activation | None = None
        self._before_named = 0
        self._sources: dict[int, frozenset[int]] = {}

    def operation(self, order: int, sources: frozenset[int]) -> None:
        """Notes which operations made what this one reads; 0 stands for the inputs."""
        self._sources[order] = sources

    def activation(self, order: int, output: Tensor) -> None:
        """Notes an activation."""
        self._activations.append(Activation(order, output))

    def unknown(self, order: int, name: str, outputs: Sequence[Tensor]) -> None:
        """Notes an operation without a rule, unless it made no tensor."""
        if outputs:
            self._unknown.append(Unknown(order, name, any(map(is_spatial, outputs))))

    def encoder(self, logits: Tensor, logits_order: int) -> Activation:
        """The encoder's last activation: the one that the named module ran last, else the last with a spatial map.

        Where the last one is bypassed (a residual sum or parallel branches above it), the last of the same resolution
        that is not takes its place. Raises UnsupportedOperation for a network that runs no activation on a map.
        """
        return self._named or self._found(logits, self._passed_by_all(logits_order))

    def refuse_unless_decomposable(self, encoder: Activation, logits_order: int) -> None:
        """Raises UnsupportedOperation where relevance would go ways that no rule covers and no books hold.

        That is: around the encoder's end, through an operation without a rule below it, or through one on a spatial
        map above it that might be an activation.
        """
        if encoder.order not in self._passed_by_all(logits_order):
            raise UnsupportedOperation(
                "an encoder that ends in several parallel activations; name one that every path passes"
            )
        refused = [u for u in self._unknown if u.order < encoder.order or (u.is_spatial and self._named is None)]
        if refused:
            raise UnsupportedOperation(f"SRD has no rule for {_names(refused)}")

    @contextmanager
    def naming(self, network: nn.Module, name: str | None) -> Iterator[None]:
        """Takes the last activation run by the module called `name` for the encoder's, while the context is open.

        Raises ModelError for a module that is not there, does not run, or runs no activation.
        """
        if name is None:
            yield
            return
        module = _submodule(network, name)
        handles = (
            module.register_forward_pre_hook(lambda *_: self._enter_named()),
            module.register_forward_hook(lambda *_: self._leave_named(name)),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        if self._named is None:
            raise ModelError(f"encoder {name!r}: the network does not run this module")

    def _enter_named(self) -> None:
        self._before_named = len(self._activations)

    def _leave_named(self, name: str) -> None:
        if len(self._activations) == self._before_named:
            raise ModelError(f"encoder {name!r}: no activation with a spatial map runs in this module")
        self._named = self._activations[-1]

    def _passed_by_all(self, logits_order: int) -> frozenset[int]:
        """Operations that no path from the inputs to the logits goes around: no later one reads an earlier one."""
        relevant, waiting = {logits_order}, [logits_order]
        while waiting:
            new = self._sources.get(waiting.pop(), frozenset()) - relevant
            relevant |= new
            waiting.extend(new)
        orders = sorted(relevant)
        last_reader = {source: order for order in orders for source in self._sources.get(order, ())}
        reached = accumulate((last_reader.get(order, 0) for order in orders[:-1]), max, initial=0)
        return frozenset(order for order, reach in zip(orders, reached, strict=True) if reach <= order)

    def _found(self, logits: Tensor, passed: frozenset[int]) -> Activation:
        spatial = [a for a in self._activations if is_spatial(a.output) and not _is_class_map(a.output, logits)]
        if not spatial:
            raise UnsupportedOperation(
                "no activation with more than one position was found "
                f"(operations without a rule: {_names(self._unknown) or 'none'})"
            )
        alike = [a for a in spatial if a.output.shape[2:] == spatial[-1].output.shape[2:]]
        return next((a for a in reversed(alike) if a.order in passed), spatial[-1])


def is_spatial(tensor: Tensor) -> bool:
    """Whether this is a map of feature vectors at more than one position."""
    return tensor.dim() == 4 and tensor.shape[2] * tensor.shape[3] > 1


def _names(operations: Sequence[Unknown]) -> str:
    return ", ".join(dict.fromkeys(operation.name for operation in operations))


def _is_class_map(output: Tensor, logits: Tensor) -> bool:
    """Whether the logits are just the mean of this map (SqueezeNet)."""
    if output.shape[1] != logits.shape[-1]:
        return False
    return torch.allclose(output.mean((2, 3)), logits, rtol=1e-3, atol=1e-5)


def _submodule(network: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if name not in modules:
        known = ", ".join(child for child, _ in network.named_children())
        raise ModelError(f"encoder {name!r}: the network has no module of this name (its top modules: {known})")
    return modules[name]
