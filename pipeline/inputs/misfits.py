"""The differences between the names and shapes of a state dict and those of a network, in words with a way out."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from torch import Tensor

COUNTER = "num_batches_tracked"
"""The end of the name of a buffer that old checkpoints lack, and that no answer depends on."""
SHOWN = 3
"""The names of each kind that a message has."""
LONG, MANY = 100, 1000
"""The characters of a name, and the number of names, among which the nearest is looked for."""


def misfits(state: Mapping[str, Tensor], own: Mapping[str, Any]) -> str:
    """Return what makes a state dict no fit for a network whose own is given; "" if nothing is seen."""
    prefixes = fitting_prefixes(state, own)
    if prefixes:
        return (
            f"with other names before them, the tensors that begin with {' or '.join(map(repr, prefixes))} do; set "
            f"model.weights_prefix = {prefixes[0]!r} to take those alone"
        )
    missing, surplus = _without_counters(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    parts = [*_names("missing in the file", missing, surplus), *_names("surplus in it", surplus, missing)]
    parts += _other_shapes(state, own)
    return "; ".join(parts)


def fitting_prefixes(state: Mapping[str, Tensor], own: Mapping[str, Any]) -> list[str]:
    """Return the texts, each ending with a dot, that before every name of a network make names of a state dict."""
    names = _without_counters(own)
    if not names:
        return []
    found = sorted({name.removesuffix(names[0]) for name in state if name.endswith(f".{names[0]}")})
    return [prefix for prefix in found if all(f"{prefix}{name}" in state for name in names)]


def _without_counters(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.endswith(COUNTER))


def _names(what: str, names: list[str], others: list[str]) -> Iterator[str]:
    """Yield how many names are missing, and the first of them with the nearest of the others."""
    if names:
        shown = ", ".join(f"{name[:LONG]!r}{_nearest(name, others)}" for name in names[:SHOWN])
        yield f"{len(names)} {what}: {shown}{', ...' * (len(names) > SHOWN)}"


def _nearest(name: str, others: list[str]) -> str:
    near = get_close_matches(name[:LONG], [other[:LONG] for other in others[:MANY]], 1)
    return f" (nearest: {near[0]!r})" if near else ""


def _other_shapes(state: Mapping[str, Tensor], own: Mapping[str, Any]) -> Iterator[str]:
    shapes = {name: tuple(own[name].shape) for name in state if isinstance(own.get(name), Tensor)}
    unlike = [name for name, shape in shapes.items() if shape != tuple(state[name].shape)]
    if unlike:
        shown = ", ".join(
            f"{name[:LONG]!r} is {tuple(state[name].shape)} in the file, {shapes[name]} in the network"
            for name in unlike[:SHOWN]
        )
        yield f"{len(unlike)} of another shape: {shown}; build the network of that shape by model.kwargs"
