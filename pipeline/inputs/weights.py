"""The door for weights: a state dict of real numbers, read from one regular file, and digests of weights."""

import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest, sha256
from io import BufferedReader
from itertools import chain
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from typing import Any
from warnings import catch_warnings

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from pipeline.machine.files import LONG, MIB, UnreadableFile, open_file, refuse_what_a_parser_raises
from pipeline.machine.memory import free_memory
from srd.errors import ModelError

MOST_BYTES = 64 * 1024 * MIB
"""The most bytes of a weights file."""
ROOM = 4
"""The bytes of memory that a byte of a weights file may take while it is read."""
UNFIT: tuple[tuple[Callable[[Tensor], bool], str, str], ...] = (
    (lambda tensor: tensor.is_meta, "holds no values (device meta)", "save it with its values"),
    (lambda tensor: tensor.is_quantized, "is quantised", "save tensor.dequantize()"),
    (lambda tensor: tensor.is_complex(), "is complex", "audits need a network of real numbers"),
    (lambda tensor: tensor.layout is not torch.strided, "is sparse or packed", "save tensor.to_dense()"),
)
"""Tensors that no network here can hold: which, what they are, and the way out."""
PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
"""Values whose `repr` says all."""
AMBIGUOUS = frozenset({"model."})
"""Prefixes that a network may have of its own: they are removed only if all names fit then."""
WRAPPERS = ("module.", "_orig_mod.", "model.")
"""Prefixes of DataParallel, torch.compile and training frameworks."""
DEEPEST = 2
"""The most keys above a state dict, and the most wrappers of one kind."""


def load_weights(network: nn.Module, weights: Path) -> tuple[str, ...]:
    """Load a state dict, cast to the network's own types; return sentences on what was unwrapped to find it.

    Raises
    ------
    ModelError
        If the file holds no state dict, or several, or if names, shapes or kinds of number are not those of the
        network.
    """
    key, state = _read_state_dict(weights)
    place = f"model.weights = {weights}: do not fit model.spec"
    with refuse_what_a_parser_raises(ModelError, place, "they need the names and shapes of network.state_dict()"):
        prefixes = _remove_prefixes(state, network.state_dict())
        name, owner = _owner(network, state)
        _refuse_whole_numbers(state, owner.state_dict(), place)
        owner.load_state_dict(state)
    under = f"model.weights: the state dict is the one under {key!r}"
    without = f"model.weights: {' and '.join(map(repr, prefixes))} was removed from the names of the tensors"
    wrapped = f"model.weights: the names are those of the network's module {name!r}, which has all weights"
    return (*[under] * bool(key), *[without] * bool(prefixes), *[wrapped] * bool(name))


def weights_digest(weights: Path) -> str:
    """Return the digest of the bytes of a file.

    Raises
    ------
    ModelError
        If it is no regular file of at most `MOST_BYTES`.
    """
    with _open_weights(weights) as file:
        return file_digest(file, sha256).hexdigest()


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


def _read_state_dict(weights: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the only state dict of a file, and the key under which it stands, or ""."""
    place = f"model.weights = {weights}"
    way_out = "save network.state_dict() again"
    with _open_weights(weights) as file, refuse_what_a_parser_raises(ModelError, f"{place}: is damaged", way_out):
        with _refuse_claims(file, place):
            content = _parse(file, weights)
        found = list(_state_dicts(content, ()))
        if not found:
            raise ModelError(f"{place}: holds no state dict; save network.state_dict()")
        if len(found) > 1:
            keys = shorten(", ".join(repr(key) for key, _ in found), LONG)
            raise ModelError(f"{place}: holds {len(found)} state dicts, {keys}; save the one to audit alone")
        ((key, state),) = found
        for name, tensor in state.items():
            _refuse_unfit(place, name, tensor)
        return key, state


def _state_dicts(content: object, keys: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the state dicts of a checkpoint, each with the keys that lead to it.

    A table within the checkpoint that is empty, or has keys other than texts, such as an optimizer's, is none.
    """
    if not isinstance(content, dict):
        return
    if all(map(_is_weight, content.items())) and (content or not keys):
        yield ".".join(keys), content
    elif len(keys) < DEEPEST:
        for name, value in content.items():
            if isinstance(name, str) and name.isprintable():
                yield from _state_dicts(value, (*keys, name))


def _remove_prefixes(state: dict[str, Tensor], own: Mapping[str, Any]) -> list[str]:
    """Remove what wrappers of a network put before the names of its state dict, where that makes them fit."""
    removed: list[str] = []
    for prefix in chain.from_iterable([WRAPPERS] * DEEPEST):
        if state and state.keys() != own.keys() and all(name.startswith(prefix) for name in state):
            rest = {name.removeprefix(prefix) for name in state}
            if rest == own.keys() or (prefix not in AMBIGUOUS and not any(name.startswith(prefix) for name in own)):
                consume_prefix_in_state_dict_if_present(state, prefix)
                removed.append(prefix)
    return removed


def _owner(network: nn.Module, state: Mapping[str, Tensor]) -> tuple[str, nn.Module]:
    """Return the module that a state dict is of, and its name: the network, or one within that has all its weights."""
    names = network.state_dict().keys()
    for name, module in network.named_modules():
        if names and names == {f"{name}.{key}".removeprefix(".") for key in state}:
            return name, module
    return "", network


def _is_weight(item: tuple[object, object]) -> bool:
    name, value = item
    return isinstance(name, str) and name.isprintable() and isinstance(value, Tensor)


def _refuse_unfit(place: str, name: str, tensor: Tensor) -> None:
    for is_unfit, what, way_out in UNFIT:
        if is_unfit(tensor):
            raise ModelError(f"{place}: {name!r} {what}; {way_out}")


def _refuse_whole_numbers(state: dict[str, Tensor], own: Mapping[str, Any], place: str) -> None:
    """Refuse integers for real numbers: they are levels of a quantised network, whose scales are elsewhere."""
    for name, tensor in state.items():
        theirs = own.get(name)
        if isinstance(theirs, Tensor) and theirs.is_floating_point() and not tensor.is_floating_point():
            raise ModelError(f"{place}: {name!r} holds {tensor.dtype}, not real numbers; save it as torch.float32")


@contextmanager
def _refuse_claims(file: BufferedReader, place: str) -> Iterator[None]:
    """Refuse a file that claims memory beyond what it holds: torch lets a pickle ask for bytes of any number."""
    try:
        yield
    except MemoryError as error:
        if free_memory() < ROOM * os.fstat(file.fileno()).st_size:
            raise
        raise ModelError(f"{place}: claims more memory than it has values; save network.state_dict() again") from error


def _parse(file: BufferedReader, weights: Path) -> object:
    """Return what a file holds; torch's warnings about the kinds of tensor in it are no news to the user."""
    place = f"model.weights = {weights}"
    try:
        with catch_warnings(action="ignore"):
            if weights.suffix == ".safetensors":
                return load_file(weights)
            if _is_tar(file):
                raise ModelError(f"{place}: is an archive of torch before 0.1.10; save network.state_dict() again")
            return torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        if "GLOBAL" not in str(error):
            raise ModelError(f"{place}: is no state dict; save network.state_dict()") from error
        raise ModelError(
            f"{place}: would run code when loaded (needs pickle globals); refused. Save the state "
            "dict alone: torch.save(network.state_dict(), file)"
        ) from error


def _is_tar(file: BufferedReader) -> bool:
    """Return whether torch would take a file for a tar archive: it makes a folder before it refuses that."""
    try:
        tarfile.open(fileobj=file, mode="r:").close()
    except tarfile.TarError:
        return False
    finally:
        file.seek(0)
    return True


@contextmanager
def _open_weights(weights: Path) -> Iterator[BufferedReader]:
    try:
        with open_file(weights, MOST_BYTES) as file:
            yield file
    except UnreadableFile as error:
        raise ModelError(
            f"model.weights = {weights}: {error}; relative paths start at the folder of the spec"
        ) from None
