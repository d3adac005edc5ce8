"""The weights of a network: loaded from a state dict whose names and kinds of number fit, and their digest."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from pipeline.inputs.checkpoints import Checkpoint, StateDict
from pipeline.inputs.misfits import fitting_prefixes, misfits
from pipeline.machine.files import refuse_what_a_parser_raises
from pipeline.spec.values import closest
from srd.errors import ModelError

PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
"""Values whose `repr` says all."""
AMBIGUOUS = frozenset({"model."})
"""Prefixes that a network may have of its own: they are removed only if all names fit then."""
WRAPPERS = ("module.", "_orig_mod.", "model.")
"""Prefixes of DataParallel, torch.compile and training frameworks."""
DEEPEST = 2
"""The most wrappers of one kind."""


def load_weights(network: nn.Module, checkpoint: Checkpoint, prefix: str | None = None) -> tuple[str, ...]:
    """Load a state dict, cast to the network's own types; return sentences on what was unwrapped to find it.

    Parameters
    ----------
    prefix
        The beginning of the names of the tensors to take, which is removed from them.

    Raises
    ------
    ModelError
        If the file holds no state dict, or several, or if names, shapes or kinds of number are not those of the
        network.
    """
    key, state = checkpoint.read()
    place = f"model.weights = {checkpoint.file}: do not fit model.spec"
    named = take_prefix(state, prefix, checkpoint.file) if prefix is not None else ()
    with refuse_what_a_parser_raises(ModelError, place, "they need the names and shapes of network.state_dict()"):
        prefixes = _remove_prefixes(state, network.state_dict())
        name, owner = _owner(network, state)
        _refuse_whole_numbers(state, owner.state_dict(), place)
        try:
            owner.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(f"{place}: {misfits(state, owner.state_dict()) or error}") from error
    under = f"model.weights: the state dict is the one under {key!r}"
    without = f"model.weights: {' and '.join(map(repr, prefixes))} was removed from the names of the tensors"
    wrapped = f"model.weights: the names are those of the network's module {name!r}, which has all weights"
    return (*[under] * bool(key), *named, *[without] * bool(prefixes), *[wrapped] * bool(name))


def take_prefix(state: StateDict, prefix: str, file: Path) -> tuple[str, ...]:
    """Keep the tensors whose names begin with a prefix that the spec names, and remove it; say what was left out.

    Raises
    ------
    ModelError
        If no name begins so.
    """
    others = [name for name in state if not name.startswith(prefix)]
    if len(others) == len(state):
        beginnings = dict.fromkeys(f"{name.partition('.')[0]}." for name in state)
        way_out = closest(prefix, beginnings)
        raise ModelError(f"model.weights_prefix = {prefix!r}: no tensor of {file} begins so; {way_out}")
    for name in others:
        del state[name]
    consume_prefix_in_state_dict_if_present(state, prefix)
    left_out = f"model.weights: {len(others)} tensors do not begin with {prefix!r}, and were left out"
    return (left_out,) * bool(others)


def state_digest(network: nn.Module, place: str) -> str:
    """Return the digest of all that a network's state dict holds.

    Raises
    ------
    ModelError
        If it holds what has no bytes, such as a layer that waits for its first image.
    """
    digest = sha256()
    with refuse_what_a_parser_raises(ModelError, f"{place}: its state_dict() has no digest", "set model.weights"):
        for name, value in network.state_dict().items():
            digest.update(name.encode())
            for part in _content(value):
                digest.update(part)
    return digest.hexdigest()


def refuse_meta(network: nn.Module, place: str) -> None:
    """Refuse a network that was built without values.

    Raises
    ------
    ModelError
        If a parameter or buffer is on the device meta.
    """
    for name, tensor in chain(network.named_parameters(), network.named_buffers()):
        if tensor.is_meta:
            raise ModelError(f"{place}: {name!r} holds no values (device meta); build the network on the CPU")


def _content(value: object) -> Iterator[bytes]:
    """Yield the bytes of a value of a state dict; quantised layers hold tuples, and extra state may be anything."""
    if isinstance(value, Tensor):
        yield _tensor_bytes(value)
    elif isinstance(value, Mapping):
        yield from _content(list(value.items()))
    elif isinstance(value, (tuple, list)):
        yield f"{len(value)}:".encode()
        for part in value:
            yield from _content(part)
    elif isinstance(value, PLAIN):
        yield repr(value).encode()
    else:
        raise TypeError(f"it holds a {type(value).__name__}")


def _tensor_bytes(tensor: Tensor) -> bytes:
    """Return the values in the order of the elements, also of types that NumPy lacks."""
    values = tensor.detach().cpu()
    values = values.dequantize() if values.is_quantized else values.to_dense()
    flat = values.resolve_conj().resolve_neg().reshape(-1).contiguous()
    return flat.view(torch.uint8).numpy().tobytes()


def _remove_prefixes(state: StateDict, own: Mapping[str, Any]) -> list[str]:
    """Remove what wrappers of a network put before the names of its state dict, where that makes them fit."""
    removed: list[str] = []
    for prefix in chain.from_iterable([WRAPPERS] * DEEPEST):
        if state and state.keys() != own.keys() and all(name.startswith(prefix) for name in state):
            rest = {name.removeprefix(prefix) for name in state}
            if rest == own.keys() or (prefix not in AMBIGUOUS and not any(name.startswith(prefix) for name in own)):
                consume_prefix_in_state_dict_if_present(state, prefix)
                removed.append(prefix)
    fitting = [prefix for prefix in fitting_prefixes(state, own) if all(name.startswith(prefix) for name in state)]
    if state.keys() != own.keys() and len(fitting) == 1:
        consume_prefix_in_state_dict_if_present(state, fitting[0])
        removed += fitting
    return removed


def _owner(network: nn.Module, state: Mapping[str, Tensor]) -> tuple[str, nn.Module]:
    """Return the module that a state dict is of, and its name: the network, or one within that has all its weights."""
    names = network.state_dict().keys()
    for name, module in network.named_modules():
        if names and names == {f"{name}.{key}".removeprefix(".") for key in state}:
            return name, module
    return "", network


def _refuse_whole_numbers(state: dict[str, Tensor], own: Mapping[str, Any], place: str) -> None:
    """Refuse integers for real numbers: they are levels of a quantised network, whose scales are elsewhere."""
    for name, tensor in state.items():
        theirs = own.get(name)
        if isinstance(theirs, Tensor) and theirs.is_floating_point() and not tensor.is_floating_point():
            raise ModelError(f"{place}: {name!r} holds {tensor.dtype}, not real numbers; save it as torch.float32")
